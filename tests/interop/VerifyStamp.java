import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.util.*;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.Extension;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.jcajce.JcaContentVerifierProviderBuilder;
import org.bouncycastle.tsp.*;

/** Verifies a time stamp: QUERY REPLY ISSUER. Ends with an exception unless all of it holds. */
public class VerifyStamp {
    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        TimeStampRequest query = new TimeStampRequest(Files.readAllBytes(Path.of(arguments[0])));
        TimeStampResponse reply = new TimeStampResponse(Files.readAllBytes(Path.of(arguments[1])));
        X509CertificateHolder issuer = new X509CertificateHolder(Files.readAllBytes(Path.of(arguments[2])));
        // Imprint, nonce, policy, and one signer whose certificate the token names.
        reply.validate(query);
        TimeStampToken token = reply.getTimeStampToken();
        Collection<X509CertificateHolder> found = token.getCertificates().getMatches(token.getSID());
        require(found.size() == 1, "certificate of the stamper");
        X509CertificateHolder stamper = found.iterator().next();
        // Signature, validity at the time, and the critical purpose.
        token.validate(new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(stamper));
        require(stamper.isSignatureValid(
            new JcaContentVerifierProviderBuilder().setProvider("BC").build(issuer)), "certificate by the issuer");
        Extension usage = stamper.getExtension(Extension.extendedKeyUsage);
        require(usage.isCritical() && Arrays.equals(
            ExtendedKeyUsage.fromExtensions(stamper.getExtensions()).getUsages(),
            new KeyPurposeId[] {KeyPurposeId.id_kp_timeStamping}), "critical purpose, and no other");
        TimeStampTokenInfo info = token.getTimeStampInfo();
        require(info.getGenTimeAccuracy() != null, "accuracy");
        System.out.println("valid: " + info.getSerialNumber().toString(16) + ", policy " + info.getPolicy());
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException("no " + what);
        }
    }
}
