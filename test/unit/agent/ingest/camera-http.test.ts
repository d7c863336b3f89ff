import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createCameraGuard } from '../../../../agent/ingest/camera-guard.ts'
import { getFromCamera } from '../../../../agent/ingest/camera-http.ts'
import { hasProgram } from '../../../support/shared-data.ts'

const lookup = async (host: string) =>
  host === 'meta.evil' ? [{ address: '169.254.169.254' }] : [{ address: '127.0.0.1' }]
const guard = createCameraGuard({ allow: ['127.0.0.0/8'], ownPorts: () => [], lookup })

async function camera(listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://cam.lan:${(server.address() as AddressInfo).port}`
}

async function get(url: string, user?: string, password?: string) {
  const { response, contentType } = await getFromCamera({
    url,
    user,
    password,
    guard,
    signal: new AbortController().signal,
  })
  return { contentType, body: await response.toArray().then((chunks) => Buffer.concat(chunks).toString()) }
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** A camera with Digest; the nonces it accepts change. */
function digestCamera(
  password: string,
  seen: (string | undefined)[],
  isOld = (_nonce: string) => false,
): RequestListener {
  let nonces = 0
  return (request, response) => {
    const header = request.headers.authorization
    seen.push(header)
    const nonce = /nonce="([^"]*)"/.exec(header ?? '')?.[1] ?? ''
    const right = md5(`${md5(`admin:cam:${password}`)}:${nonce}:${md5(`GET:${request.url}`)}`)
    const known = header?.includes(`response="${right}"`)
    if (known && !isOld(nonce)) {
      response.setHeader('content-type', 'image/jpeg').end('jpeg')
      return
    }
    nonces += 1
    const stale = known ? ', stale=true' : ''
    response.statusCode = 401
    response
      .setHeader('www-authenticate', [`Digest realm="cam", nonce="n${nonces}"${stale}`, 'Basic realm="cam"'])
      .end('no')
  }
}

test('nothing is sent before it is asked for; Digest goes before Basic', async () => {
  const seen: (string | undefined)[] = []
  const url = await camera(digestCamera('p@ss:"1/ü', seen))
  const path = '/ISAPI/Streaming/channels/101/picture?snapShotImageType=JPEG'
  expect(await get(url + path, 'admin', 'p@ss:"1/ü')).toEqual({ contentType: 'image/jpeg', body: 'jpeg' })
  expect(seen).toEqual([undefined, expect.stringContaining(`uri="${path}"`)])
})

test('a stale nonce is worth one more try, a wrong password is not', async () => {
  const seen: (string | undefined)[] = []
  const url = await camera(digestCamera('p', seen, (nonce) => nonce === 'n1'))
  expect((await get(`${url}/x`, 'admin', 'p')).body).toBe('jpeg')
  expect(seen.length).toBe(3)
  const wrong = get(`${url}/x`, 'admin', 'sesame')
  await expect(wrong).rejects.toMatchObject({ kind: 'Unauthenticated' })
  await expect(wrong).rejects.toThrow(/refuses the user name or the password/)
  await expect(wrong).rejects.not.toThrow(/sesame/)
  expect(seen.length).toBe(5)
})

test('a camera that calls every nonce stale is not asked for ever', async () => {
  const seen: (string | undefined)[] = []
  const url = await camera(digestCamera('p', seen, () => true))
  await expect(get(`${url}/x`, 'admin', 'p')).rejects.toMatchObject({ kind: 'Unauthenticated' })
  expect(seen.length).toBe(3)
})

test('no credentials at hand', async () => {
  const url = await camera(digestCamera('p', []))
  await expect(get(`${url}/x`)).rejects.toThrow(/asks for a user name/)
})

test('redirects are followed three times', async () => {
  const url = await camera((request, response) => {
    const left = Number(request.url?.slice(1))
    if (left === 0) response.end('there')
    else response.writeHead(302, { location: `/${left - 1}` }).end()
  })
  expect((await get(`${url}/3`)).body).toBe('there')
  await expect(get(`${url}/4`)).rejects.toThrow(/redirects too often/)
})

test('a redirect is checked like the address', async () => {
  const url = await camera((request, response) => {
    const location =
      request.url === '/a'
        ? 'http://169.254.169.254/latest'
        : request.url === '/b'
          ? 'http://meta.evil/'
          : 'file:///etc/passwd'
    response.writeHead(302, { location }).end()
  })
  await expect(get(`${url}/a`)).rejects.toThrow(/metadata service/)
  await expect(get(`${url}/b`)).rejects.toThrow(/meta.evil \(169.254.169.254\)/)
  await expect(get(`${url}/c`)).rejects.toThrow(/redirects to nowhere/)
})

test('another host gets no credentials', async () => {
  const seen: (string | undefined)[] = []
  const other = await camera(digestCamera('p', seen))
  const url = await camera((_, response) => {
    response.writeHead(307, { location: other.replace('cam.lan', 'other.lan') }).end()
  })
  await expect(get(url, 'admin', 'p')).rejects.toThrow(/asks for a user name/)
  expect(seen).toEqual([undefined])
})

test.each([
  [404, 'NotFound'],
  [403, 'Unauthenticated'],
  [500, 'Unavailable'],
])('%i is %s', async (status, kind) => {
  const url = await camera((_, response) => {
    response.writeHead(status).end()
  })
  await expect(get(url)).rejects.toMatchObject({ kind })
})

test('no answer, and a head that never ends', async () => {
  await expect(get('http://cam.lan:1/')).rejects.toMatchObject({ kind: 'Unavailable' })
  const url = await camera((_, response) => {
    response.socket?.write(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`)
  })
  await expect(get(url)).rejects.toMatchObject({ kind: 'Unavailable' })
})

test.skipIf(!hasProgram('openssl'))('a certificate that nobody signed is said', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'camera-tls-'))
  const [key, cert] = [join(dir, 'key.pem'), join(dir, 'cert.pem')]
  const args = [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    '-subj',
    '/CN=cam.lan',
    '-keyout',
    key,
    '-out',
    cert,
  ]
  execFileSync('openssl', args, { stdio: 'ignore' })
  const server = createSecureServer({ key: readFileSync(key), cert: readFileSync(cert) }).listen(
    0,
    '127.0.0.1',
  )
  await new Promise((resolve) => server.once('listening', resolve))
  onTestFinished(() => {
    server.close()
    rmSync(dir, { recursive: true })
  })
  const answer = get(`https://cam.lan:${(server.address() as AddressInfo).port}/x`, 'admin', 'sesame')
  await expect(answer).rejects.toThrow(/certificate is not trusted/)
})
