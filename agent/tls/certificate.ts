import { createPrivateKey, X509Certificate as NodeCertificate } from 'node:crypto'
import { chmod, mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { isIP } from 'node:net'
import { join } from 'node:path'
import { AppError } from '../../shared/error.ts'

/** PEM texts. `ca`: what a browser must trust; absent when the certificate is the owner's. */
export type TlsFiles = { key: string; cert: string; ca?: string }

const dayMs = 86_400_000
const caDays = 3650
const leafDays = 397 // Browsers refuse longer ones (CA/Browser Forum, Baseline Requirements 6.3.2).
const renewDays = 30
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

/** A certificate and key of the owner's own. `FailedPrecondition` when they cannot be read or are no pair. */
export async function readCertificate(paths: { cert: string; key: string }): Promise<TlsFiles> {
  try {
    const [cert, key] = await Promise.all([readFile(paths.cert, 'utf8'), readFile(paths.key, 'utf8')])
    if (new NodeCertificate(cert).checkPrivateKey(createPrivateKey(key))) return { cert, key }
  } catch (cause) {
    throw unreadable(paths.cert, cause)
  }
  throw unreadable(paths.cert, new Error('the key belongs to another certificate'))
}

function unreadable(path: string, cause: unknown): AppError {
  return new AppError(
    'FailedPrecondition',
    `http.tls: ${path} and its key cannot be used; give PEM files of one pair, or http.tls: true for a certificate of our own`,
    { cause, zh: `http.tls：${path} 及其私钥不可用；请提供一对 PEM 文件，或设为 true 使用自签证书。` },
  )
}

/**
 * The private authority of this data directory and a certificate for the given names, below `tls/`: made at the first
 * start, the certificate again when a name is new or its month of grace has begun. Keys are 0600; nobody else's
 * machine trusts the authority until a person installs `ca.pem` there.
 */
export async function ownCertificate(
  data: string,
  names: readonly string[],
  nowMs: number,
): Promise<TlsFiles> {
  const directory = join(data, 'tls')
  await mkdir(directory, { recursive: true, mode: 0o700 })
  const known = await readFiles(directory)
  const isCaGood = known.ca !== undefined && known.caKey !== undefined && isGood(known.ca, [], nowMs)
  if (isCaGood && known.cert && known.key && isGood(known.cert, names, nowMs))
    return { cert: known.cert, key: known.key, ca: known.ca ?? '' }
  const maker = await import('./make-certificate.ts')
  const authority =
    isCaGood && known.ca && known.caKey
      ? { cert: known.ca, key: known.caKey }
      : await maker.makeAuthority({ algorithm, nowMs, untilMs: nowMs + caDays * dayMs })
  const made = await maker.makeCertificate(authority, {
    ...{ algorithm, names, nowMs, untilMs: nowMs + leafDays * dayMs },
  })
  await save(directory, 'ca.pem', authority.cert, 0o644)
  await save(directory, 'ca.key', authority.key, 0o600)
  await save(directory, 'server.key', made.key, 0o600)
  await save(directory, 'server.pem', made.cert, 0o644) // Last: without it all is made again.
  return { cert: made.cert, key: made.key, ca: authority.cert }
}

async function readFiles(directory: string) {
  const read = (name: string) => readFile(join(directory, name), 'utf8').catch(() => undefined)
  const [ca, caKey, cert, key] = await Promise.all(['ca.pem', 'ca.key', 'server.pem', 'server.key'].map(read))
  return { ca, caKey, cert, key }
}

function isGood(pem: string, names: readonly string[], nowMs: number): boolean {
  try {
    const certificate = new NodeCertificate(pem)
    const from = Date.parse(certificate.validFrom)
    const until = Date.parse(certificate.validTo)
    const named = (name: string) =>
      (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined
    return from <= nowMs && nowMs < until - renewDays * dayMs && names.every(named)
  } catch {
    return false // Damaged: it is made again.
  }
}

async function save(directory: string, name: string, text: string, mode: number): Promise<void> {
  const path = join(directory, name)
  await writeFile(`${path}.tmp`, text, { mode })
  await chmod(`${path}.tmp`, mode)
  await rename(`${path}.tmp`, path)
}
