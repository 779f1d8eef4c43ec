import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.security.cert.*;
import java.util.*;
import org.bouncycastle.asn1.cms.CMSAttributes;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaX509CertificateConverter;
import org.bouncycastle.cms.*;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;

/** Verifies a detached CMS SignedData: RECORD SIGNATURE ROOT LIST… Ends with an exception unless all of it holds. */
public class VerifyCms {
    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        byte[] record = Files.readAllBytes(Path.of(arguments[0]));
        CMSSignedData signed = new CMSSignedData(
            new CMSProcessableByteArray(record), Files.readAllBytes(Path.of(arguments[1])));
        CertificateFactory factory = CertificateFactory.getInstance("X.509", "BC");
        X509Certificate root = (X509Certificate)
            factory.generateCertificate(Files.newInputStream(Path.of(arguments[2])));

        Collection<SignerInformation> signers = signed.getSignerInfos().getSigners();
        require(signers.size() == 1, "one signer");
        SignerInformation signer = signers.iterator().next();
        require(signer.getSignedAttributes().get(CMSAttributes.signingTime) != null, "signing time");
        Collection<X509CertificateHolder> found = signed.getCertificates().getMatches(signer.getSID());
        require(found.size() == 1, "the signer's certificate");
        X509CertificateHolder holder = found.iterator().next();
        require(signer.verify(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(holder)), "signature");

        // The whole path, with everything the signature carries and the lists it was given.
        JcaX509CertificateConverter convert = new JcaX509CertificateConverter().setProvider("BC");
        List<Object> pool = new ArrayList<>();
        for (Object each : signed.getCertificates().getMatches(null)) {
            pool.add(convert.getCertificate((X509CertificateHolder) each));
        }
        for (int at = 3; at < arguments.length; at++) {
            pool.add(factory.generateCRL(Files.newInputStream(Path.of(arguments[at]))));
        }
        X509CertSelector target = new X509CertSelector();
        target.setCertificate(convert.getCertificate(holder));
        PKIXBuilderParameters parameters =
            new PKIXBuilderParameters(Set.of(new TrustAnchor(root, null)), target);
        parameters.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(pool), "BC"));
        parameters.setRevocationEnabled(true);
        CertPathBuilderResult built = CertPathBuilder.getInstance("PKIX", "BC").build(parameters);
        System.out.println("valid: " + holder.getSubject()
            + ", path of " + built.getCertPath().getCertificates().size() + " below the root");
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException("no " + what);
        }
    }
}
