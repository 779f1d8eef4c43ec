import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.Security;
import java.util.*;
import org.bouncycastle.asn1.ocsp.OCSPObjectIdentifiers;
import org.bouncycastle.asn1.x509.ExtendedKeyUsage;
import org.bouncycastle.asn1.x509.KeyPurposeId;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.ocsp.*;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentVerifierProvider;
import org.bouncycastle.operator.jcajce.*;

/** Verifies an OCSP response: RESPONSE ISSUER SERIAL. Ends with an exception unless all of it holds. */
public class VerifyOcsp {
    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        OCSPResp response = new OCSPResp(Files.readAllBytes(Path.of(arguments[0])));
        require(response.getStatus() == OCSPResp.SUCCESSFUL, "answer");
        BasicOCSPResp basic = (BasicOCSPResp) response.getResponseObject();
        X509CertificateHolder issuer = new X509CertificateHolder(Files.readAllBytes(Path.of(arguments[1])));

        X509CertificateHolder responder = basic.getCerts()[0];
        require(responder.isSignatureValid(verifier(issuer)), "certificate of the responder by the issuer");
        require(responder.isValidOn(new Date()), "valid certificate of the responder");
        require(ExtendedKeyUsage.fromExtensions(responder.getExtensions())
            .hasKeyPurposeId(KeyPurposeId.id_kp_OCSPSigning), "purpose of the responder");
        require(responder.getExtension(OCSPObjectIdentifiers.id_pkix_ocsp_nocheck) != null, "nocheck");
        require(basic.getResponderId().toASN1Primitive().getName().equals(responder.getSubject()), "name");
        require(basic.isSignatureValid(verifier(responder)), "signature");

        require(basic.getResponses().length == 1, "one answer");
        SingleResp single = basic.getResponses()[0];
        require(single.getCertID().getSerialNumber().equals(new BigInteger(arguments[2], 16)), "serial number");
        require(single.getCertID().matchesIssuer(
            issuer, new JcaDigestCalculatorProviderBuilder().setProvider("BC").build()), "issuer");
        Date now = new Date();
        require(!single.getThisUpdate().after(now) && single.getNextUpdate().after(now), "time");
        CertificateStatus status = single.getCertStatus();
        if (status == CertificateStatus.GOOD) {
            System.out.println("good");
        } else if (status instanceof RevokedStatus) {
            System.out.println("revoked: reason " + ((RevokedStatus) status).getRevocationReason());
        } else {
            System.out.println("unknown");
        }
    }

    private static ContentVerifierProvider verifier(X509CertificateHolder signer) throws Exception {
        return new JcaContentVerifierProviderBuilder().setProvider("BC").build(signer);
    }

    private static void require(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException("no " + what);
        }
    }
}
