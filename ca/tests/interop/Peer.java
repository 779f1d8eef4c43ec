// Reads what the certificate authority wrote into this folder, says what it thinks of it, and makes the same in turn.

import java.io.FileInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.Security;
import java.security.cert.*;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.*;
import org.bouncycastle.asn1.*;
import org.bouncycastle.asn1.cms.*;
import org.bouncycastle.asn1.ess.*;
import org.bouncycastle.asn1.gm.GMObjectIdentifiers;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.asn1.x500.X500Name;
import org.bouncycastle.asn1.x509.AlgorithmIdentifier;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.*;
import org.bouncycastle.cms.jcajce.*;
import org.bouncycastle.jcajce.PKIXExtendedParameters;
import org.bouncycastle.jce.provider.BouncyCastleProvider;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.*;
import org.bouncycastle.pkcs.PKCS10CertificationRequest;
import org.bouncycastle.pkcs.jcajce.*;

public class Peer {
    static final AlgorithmIdentifier SM3 = new AlgorithmIdentifier(GMObjectIdentifiers.sm3);

    static byte[] read(String name) throws Exception {
        return Files.readAllBytes(Path.of(name));
    }

    static void write(String name, byte[] octets) throws Exception {
        Files.write(Path.of(name), octets);
    }

    static X509Certificate certificate(String name) throws Exception {
        try (FileInputStream in = new FileInputStream(name)) {
            return (X509Certificate) CertificateFactory.getInstance("X.509", "BC").generateCertificate(in);
        }
    }

    static X509CRL list(String name) throws Exception {
        try (FileInputStream in = new FileInputStream(name)) {
            return (X509CRL) CertificateFactory.getInstance("X.509", "BC").generateCRL(in);
        }
    }

    static PrivateKey key(String name) throws Exception {
        String base64 = new String(read(name)).replaceAll("-----[A-Z ]+-----", "").replaceAll("\\s", "");
        byte[] der = Base64.getDecoder().decode(base64);
        return KeyFactory.getInstance("EC", "BC").generatePrivate(new PKCS8EncodedKeySpec(der));
    }

    static byte[] thumbprint(X509Certificate certificate) throws Exception {
        return MessageDigest.getInstance("SM3", "BC").digest(certificate.getEncoded());
    }

    public static void main(String[] arguments) throws Exception {
        Security.addProvider(new BouncyCastleProvider());
        Date now = new Date(Long.parseLong(arguments[0]));
        X509Certificate root = certificate("root.pem"), people = certificate("people.pem");
        X509Certificate doctor = certificate("doctor.pem"), nurse = certificate("nurse.pem");
        X509CRL peopleList = list("people.crl"), rootList = list("root.crl");

        // Paths with revocation (RFC 5280, 6).
        PKIXParameters parameters = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
        parameters.setDate(now);
        parameters.setRevocationEnabled(true);
        parameters.addCertStore(CertStore.getInstance(
            "Collection", new CollectionCertStoreParameters(List.of(people, peopleList, rootList)), "BC"));
        CertPathValidator validator = CertPathValidator.getInstance("PKIX", "BC");
        CertificateFactory factory = CertificateFactory.getInstance("X.509", "BC");
        CertPath path = factory.generateCertPath(List.of(doctor, people));
        validator.validate(path, parameters);
        System.out.println("doctor: path valid, " + path.getCertificates().size() + " certificates");
        X509CertificateHolder identified = new X509CertificateHolder(doctor.getEncoded());
        ASN1Encodable entity = identified.getExtension(new ASN1ObjectIdentifier("1.2.86.21.1.1")).getParsedValue();
        ASN1Encodable code = identified.getExtension(new ASN1ObjectIdentifier("1.2.156.10260.4.1.1")).getParsedValue();
        ASN1TaggedObject choice = ASN1TaggedObject.getInstance(code);
        System.out.println("doctor: identifiers " + ASN1UTF8String.getInstance(entity).getString() + " ["
            + choice.getTagNo() + "] " + ASN1PrintableString.getInstance(choice, true).getString());
        try {
            validator.validate(factory.generateCertPath(List.of(nurse, people)), parameters);
            System.out.println("nurse: path valid");
        } catch (CertPathValidatorException refused) {
            boolean revoked = refused.getMessage().contains("revo");
            System.out.println("nurse: " + (revoked ? "certificate revoked" : refused.getMessage()));
        }
        // The same with the list of a part, in which nobody is, and with what has changed since.
        for (boolean changes : new boolean[] {false, true}) {
            List<Object> held = new ArrayList<>(List.of(people, list("part.crl"), rootList));
            if (changes) held.add(list("delta.crl"));
            PKIXParameters only = new PKIXParameters(Set.of(new TrustAnchor(root, null)));
            only.setDate(now);
            only.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(held), "BC"));
            PKIXExtendedParameters extended =
                new PKIXExtendedParameters.Builder(only).setUseDeltasEnabled(changes).build();
            for (X509Certificate holder : List.of(doctor, nurse)) {
                String who = holder == doctor ? "doctor" : "nurse";
                String by = changes ? "part and changes" : "part";
                try {
                    validator.validate(factory.generateCertPath(List.of(holder, people)), extended);
                    System.out.println(who + " by " + by + ": path valid");
                } catch (CertPathValidatorException refused) {
                    boolean revoked = refused.getMessage().contains("revo");
                    System.out.println(who + " by " + by + ": " + (revoked ? "certificate revoked" : refused.getMessage()));
                }
            }
        }
        // After the root has got another key: from the one that somebody trusts to the other, and not without its link.
        X509Certificate nextRoot = certificate("next-root.pem"), nextPeople = certificate("next-people.pem");
        X509Certificate newWithOld = certificate("new-with-old.pem"), oldWithNew = certificate("old-with-new.pem");
        PKIXParameters[] trusting = new PKIXParameters[2];
        for (int at = 0; at < 2; at++) {
            trusting[at] = new PKIXParameters(Set.of(new TrustAnchor(at == 0 ? root : nextRoot, null)));
            trusting[at].setDate(now);
            trusting[at].addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(
                List.of(people, nextPeople, newWithOld, oldWithNew, peopleList, rootList, list("next-root.crl"))), "BC"));
        }
        validator.validate(factory.generateCertPath(List.of(doctor, nextPeople, newWithOld)), trusting[0]);
        System.out.println("from the root before to the new one: path valid");
        validator.validate(factory.generateCertPath(List.of(doctor, people, oldWithNew)), trusting[1]);
        System.out.println("from the new root to the one before: path valid");
        try {
            validator.validate(factory.generateCertPath(List.of(doctor, nextPeople)), trusting[0]);
            System.out.println("without a link: path valid");
        } catch (CertPathValidatorException refused) {
            System.out.println("without a link: refused");
        }
        boolean signed = true;
        try {
            peopleList.verify(people.getPublicKey(), "BC");
        } catch (java.security.GeneralSecurityException refused) {
            signed = false;
        }
        System.out.println("people.crl: signature " + signed
            + ", nurse revoked " + peopleList.isRevoked(nurse)
            + ", doctor revoked " + peopleList.isRevoked(doctor));

        // The request.
        PKCS10CertificationRequest request = new PKCS10CertificationRequest(read("doctor.req"));
        System.out.println("request: signature " + request.isSignatureValid(
            new JcaContentVerifierProviderBuilder().setProvider("BC").build(request.getSubjectPublicKeyInfo())));

        // The signed message.
        CMSProcessableByteArray record = new CMSProcessableByteArray(read("record.bin"));
        CMSSignedData message = new CMSSignedData(record, read("record.p7s"));
        SignerInformation signer = message.getSignerInfos().getSigners().iterator().next();
        X509CertificateHolder holder =
            (X509CertificateHolder) message.getCertificates().getMatches(signer.getSID()).iterator().next();
        SignerInformationVerifier verifier =
            new JcaSimpleSignerInfoVerifierBuilder().setProvider("BC").build(holder);
        Time claimed = Time.getInstance(signer.getSignedAttributes()
            .get(CMSAttributes.signingTime).getAttrValues().getObjectAt(0));
        System.out.println("message: signature " + signer.verify(verifier)
            + ", time " + claimed.getDate().toInstant());
        SigningCertificateV2 named = SigningCertificateV2.getInstance(signer.getSignedAttributes()
            .get(PKCSObjectIdentifiers.id_aa_signingCertificateV2).getAttrValues().getObjectAt(0));
        ESSCertIDv2 id = named.getCerts()[0];
        System.out.println("message: names the doctor's certificate "
            + (id.getHashAlgorithm().getAlgorithm().equals(GMObjectIdentifiers.sm3)
                && Arrays.equals(id.getCertHash(), thumbprint(doctor))
                && id.getIssuerSerial().getSerial().getValue().equals(doctor.getSerialNumber())));
        CMSSignedData other = new CMSSignedData(
            new CMSProcessableByteArray("another record".getBytes()), read("record.p7s"));
        try {
            boolean valid = other.getSignerInfos().getSigners().iterator().next().verify(verifier);
            System.out.println("message over another record: " + (valid ? "taken" : "refused"));
        } catch (CMSException refused) {
            System.out.println("message over another record: refused");
        }

        // The same, made here.
        ContentSigner contentSigner =
            new JcaContentSignerBuilder("SM3withSM2").setProvider("BC").build(key("doctor.key"));
        ESSCertIDv2 own = new ESSCertIDv2(SM3, thumbprint(doctor));
        Attribute binding = new Attribute(PKCSObjectIdentifiers.id_aa_signingCertificateV2,
            new DERSet(new SigningCertificateV2(own)));
        Hashtable<ASN1ObjectIdentifier, Attribute> more = new Hashtable<>();
        more.put(binding.getAttrType(), binding);
        Attribute time = new Attribute(CMSAttributes.signingTime, new DERSet(new Time(now)));
        more.put(time.getAttrType(), time);
        CMSSignedDataGenerator generator = new CMSSignedDataGenerator();
        generator.addSignerInfoGenerator(new JcaSignerInfoGeneratorBuilder(
            new JcaDigestCalculatorProviderBuilder().setProvider("BC").build())
            .setSignedAttributeGenerator(new DefaultSignedAttributeTableGenerator(new AttributeTable(more)))
            .build(contentSigner, doctor));
        generator.addCertificates(new JcaCertStore(List.of(doctor, people)));
        for (boolean attached : new boolean[] {true, false}) {
            CMSSignedData made = generator.generate(record, attached);
            String name = attached ? "made.attached.p7s" : "made.detached.p7s";
            write(name, made.toASN1Structure().getEncoded("DER"));
        }
        PKCS10CertificationRequest asked = new JcaPKCS10CertificationRequestBuilder(
            new X500Name("CN=made by another"), doctor.getPublicKey()).build(contentSigner);
        write("made.req", asked.getEncoded());
    }
}
