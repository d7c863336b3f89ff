import 'reflect-metadata' // The library needs it to be there first.
import { randomBytes } from 'node:crypto'
import { isIP } from 'node:net'
import {
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'

// Loaded only when a certificate has to be made: the library weighs more than what it makes.
cryptoProvider.set(crypto)

export type Pair = { cert: string; key: string }
type Curve = { name: string; namedCurve: string; hash: string }
type Span = { algorithm: Curve; nowMs: number; untilMs: number }

const clockSlackMs = 86_400_000 // A phone whose clock is a little behind must not find it too young.

/** A certificate authority that may sign end certificates only (RFC 5280, 4.2.1.9: path length 0). */
export async function makeAuthority({ algorithm, nowMs, untilMs }: Span): Promise<Pair> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: `CN=edgereel ${randomBytes(3).toString('hex')}`,
    notBefore: new Date(nowMs - clockSlackMs),
    notAfter: new Date(untilMs),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
    ],
  })
  return { cert: certificate.toString('pem'), key: await privatePem(keys.privateKey) }
}

/** For the given DNS names and addresses, by an authority of `makeAuthority`. */
export async function makeCertificate(
  authority: Pair,
  { algorithm, names, nowMs, untilMs }: Span & { names: readonly string[] },
): Promise<Pair> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
  const issuer = new X509Certificate(authority.cert)
  const pkcs8 = PemConverter.decodeFirst(authority.key)
  const signingKey = await crypto.subtle.importKey('pkcs8', pkcs8, algorithm, false, ['sign'])
  const certificate = await X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    issuer: issuer.subject,
    subject: 'CN=edgereel',
    notBefore: new Date(nowMs - clockSlackMs),
    notAfter: new Date(untilMs),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(
        names.map((name) => ({ type: isIP(name) ? ('ip' as const) : ('dns' as const), value: name })),
      ),
    ],
  })
  return { cert: certificate.toString('pem'), key: await privatePem(keys.privateKey) }
}

/** 16 bytes, positive (RFC 5280, 4.1.2.2). */
function serialNumber(): string {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40
  return bytes.toString('hex')
}

async function privatePem(key: CryptoKey): Promise<string> {
  return PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}
