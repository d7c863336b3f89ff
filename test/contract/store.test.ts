import { createHash } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import type { ObjectStore } from '../../cloud/ports.ts'
import { implementations } from './implementations.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const sha = (body: Uint8Array) => createHash('sha256').update(body).digest('hex')
const contentType = 'application/octet-stream'
const sized = (body: Uint8Array) => ({ sizeBytes: body.length, contentType })

async function read(
  store: ObjectStore,
  key: string,
  range?: { start: number; end?: number },
): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of await store.get(key, range)) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

async function* pieces(...parts: string[]) {
  for (const part of parts) yield bytes(part)
}

describe.each(implementations)('object store, $name', ({ open }) => {
  test('gives back what was put, whole and in ranges, with its checksum', async () => {
    await using it = await open()
    await it.store.put('raw/a/s/1.h264', bytes('hello'), sized(bytes('hello')))
    await it.store.put('raw/a/s/2.h264', pieces('hel', '', 'lo!'), { sizeBytes: 6, contentType })

    expect(await read(it.store, 'raw/a/s/1.h264')).toBe('hello')
    expect(await read(it.store, 'raw/a/s/2.h264', { start: 1, end: 3 })).toBe('el')
    expect(await read(it.store, 'raw/a/s/2.h264', { start: 4 })).toBe('o!')
    expect(await it.store.head('raw/a/s/1.h264')).toMatchObject({ sizeBytes: 5, sha256: sha(bytes('hello')) })
    expect(await it.store.head('raw/a/s/3.h264')).toBeUndefined()
    await expect(it.store.get('raw/a/s/3.h264')).rejects.toMatchObject({ kind: 'NotFound' })
  })

  test.each([
    ['too short', 4, undefined],
    ['too long', 6, undefined],
    ['of another digest', 5, sha(bytes('other'))],
  ])('a body that is %s leaves no object', async (_name, sizeBytes, sha256) => {
    await using it = await open()
    const options = { sizeBytes, contentType, ...(sha256 && { sha256 }) }
    await expect(it.store.put('raw/a/s/1.h264', pieces('he', 'llo'), options)).rejects.toMatchObject({
      kind: 'InvalidArgument',
    })
    expect(await it.store.head('raw/a/s/1.h264')).toBeUndefined()
  })

  test('a body that breaks off leaves the object that was there', async () => {
    await using it = await open()
    await it.store.put('media/a.mp4', bytes('old'), sized(bytes('old')))
    const broken = (async function* () {
      yield bytes('ne')
      throw new Error('the line is dead')
    })()
    await expect(it.store.put('media/a.mp4', broken, { sizeBytes: 3, contentType })).rejects.toThrow()
    expect(await read(it.store, 'media/a.mp4')).toBe('old')
    await it.store.put('media/a.mp4', bytes('new'), sized(bytes('new')))
    expect(await read(it.store, 'media/a.mp4')).toBe('new')
  })

  test('takes a body whose chunks are one buffer, filled again and again', async () => {
    await using it = await open()
    const chunk = Buffer.alloc(700_000)
    const body = (async function* () {
      for (let n = 0; n < 4; n += 1) yield chunk.fill(n)
    })()
    await it.store.put('media/a.mp4', body, { sizeBytes: 4 * chunk.length, contentType })
    const expected = Buffer.concat([0, 1, 2, 3].map((n) => Buffer.alloc(chunk.length, n)))
    expect(await it.store.head('media/a.mp4')).toMatchObject({ sha256: sha(expected) })
    const stored: Buffer[] = []
    for await (const piece of await it.store.get('media/a.mp4')) stored.push(Buffer.from(piece))
    expect(Buffer.concat(stored).equals(expected)).toBe(true)
  })

  test('lends what a reader is done with before it asks on, and survives a reader that has enough', async () => {
    await using it = await open()
    const body = Buffer.from(Array.from({ length: 3_000_000 }, (_, i) => (i * 7 + (i >> 16)) & 0xff))
    await it.store.put('media/a.mp4', body, sized(body))
    const readLent = async (start: number, end?: number) => {
      const range = { start, lent: true, ...(end !== undefined && { end }) }
      const copies: Buffer[] = []
      for await (const chunk of await it.store.get('media/a.mp4', range)) copies.push(Buffer.from(chunk))
      return Buffer.concat(copies)
    }
    for await (const chunk of await it.store.get('media/a.mp4', { start: 0, lent: true })) {
      expect(chunk[0]).toBe(body[0])
      break
    }
    const [whole, rest, middle] = await Promise.all([
      readLent(0),
      readLent(1_500_001),
      readLent(10, 2_000_000),
    ])
    expect(whole.equals(body)).toBe(true)
    expect(rest.equals(body.subarray(1_500_001))).toBe(true)
    expect(middle.equals(body.subarray(10, 2_000_000))).toBe(true)
  })

  test('an object without a checksum has its size at once, and a checksum when it is asked for', async () => {
    await using it = await open()
    await it.store.put('media/a.mp4', pieces('hel', 'lo'), { sizeBytes: 5, contentType, unsummed: true })
    expect(await it.store.head('media/a.mp4', { sizeOnly: true })).toMatchObject({ sizeBytes: 5 })
    expect([sha(bytes('hello')), undefined]).toContain((await it.store.head('media/a.mp4'))?.sha256)
    const told = { sizeBytes: 5, contentType, unsummed: true, sha256: sha(bytes('other')) }
    await expect(it.store.put('media/a.mp4', pieces('hello'), told)).rejects.toMatchObject({
      kind: 'InvalidArgument',
    })
  })

  test('of many that create one key at once, one wins', async () => {
    await using it = await open()
    const tries = Array.from({ length: 8 }, (_, i) =>
      it.store.put('raw/a/s/1.h264', pieces(`writer ${i}`), { sizeBytes: 8, contentType, ifAbsent: true }),
    )
    const outcomes = await Promise.allSettled(tries)
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ kind: 'AlreadyExists' })
    }
  })

  test('lists by bytes, with a prefix, over pages', async () => {
    await using it = await open()
    const names = ['raw/a/b', 'raw/a-b/c', 'raw/a/b/c-1', 'raw/a.json', 'raw/Z/x'].filter(
      (key) => key !== 'raw/a/b',
    )
    for (const key of names) await it.store.put(key, bytes(key), sized(bytes(key)))

    const listed = (await it.store.list('raw/')).keys.map(({ key }) => key)
    expect(it.listsByBytes ? listed : listed.toSorted()).toEqual(names.toSorted())
    expect((await it.store.list('raw/a/')).keys).toMatchObject([{ key: 'raw/a/b/c-1', sizeBytes: 11 }])
    expect((await it.store.list('raw/a')).keys).toHaveLength(3)
    expect((await it.store.list('raw/', 'raw/a-b/c')).keys.map(({ key }) => key)).toEqual([
      'raw/a.json',
      'raw/a/b/c-1',
    ])
    expect((await it.store.list('media/')).keys).toEqual([])
  })

  test('deletes, also what is not there', async () => {
    await using it = await open()
    await it.store.put('tmp/x', bytes('x'), sized(bytes('x')))
    await it.store.delete('tmp/x')
    await it.store.delete('tmp/x')
    expect(await it.store.head('tmp/x')).toBeUndefined()
  })

  describe('signed addresses', () => {
    const body = bytes('0123456789')
    const request = { key: 'raw/a/s/1.h264', sizeBytes: 10, sha256: sha(body), contentType, expiresS: 900 }

    test('store exactly the body they were made for, once', async () => {
      await using it = await open()
      const { url, headers, expiresAt } = await it.store.presignPut(request)
      expect(expiresAt).toBeGreaterThan(0)
      expect((await it.fetch(url, { method: 'PUT', headers, body })).status).toBe(200)
      expect(await it.store.head(request.key)).toMatchObject({ sizeBytes: 10, sha256: request.sha256 })
      expect((await it.fetch(url, { method: 'PUT', headers, body })).status).toBe(412)
    })

    test.each([
      ['content-length', '9'],
      ['content-type', 'text/html'],
      ['if-none-match', ''],
      ['x-amz-checksum-sha256', Buffer.from(sha(bytes('other')), 'hex').toString('base64')],
    ])('refuse another %s', async (name, value) => {
      await using it = await open()
      const { url, headers } = await it.store.presignPut(request)
      const sent = name === 'content-length' ? body.subarray(1) : body
      const answer = await it.fetch(url, {
        method: 'PUT',
        headers: { ...headers, [name]: value },
        body: sent,
      })
      expect(answer.status).toBe(403)
      expect(await it.store.head(request.key)).toBeUndefined()
    })

    test('refuse another body of the same length, another key, another method, and a time past', async () => {
      await using it = await open()
      const { url, headers } = await it.store.presignPut(request)
      const put = (address: string, sent: Uint8Array<ArrayBuffer>) =>
        it.fetch(address, { method: 'PUT', headers, body: sent })

      const bad = await put(url, bytes('9876543210'))
      expect(bad.status).toBe(400)
      expect(await bad.text()).toContain('BadDigest')
      expect((await put(url.replace('/1.h264', '/2.h264'), body)).status).toBe(403)
      expect((await it.fetch(url)).status).toBe(403)
      if (!it.pass) return
      it.pass(901_000)
      expect((await put(url, body)).status).toBe(403)
    })

    const formOf = (fields: Record<string, string>, file: Uint8Array<ArrayBuffer>) => {
      const form = new FormData()
      for (const [name, value] of Object.entries(fields)) form.append(name, value)
      form.append('file', new Blob([file]), 'any name.mp4')
      return { method: 'POST', body: form }
    }

    test.each([true, false])(
      'of a form store exactly the file they were made for (sum: %s)',
      async (summed) => {
        await using it = await open()
        const { sha256, ...unsummed } = { ...request, key: 'uploads/up-1.mp4' }
        const { url, fields, expiresAt } = await it.store.presignPost(
          summed ? { ...unsummed, sha256 } : unsummed,
        )
        expect(expiresAt).toBeGreaterThan(0)
        const answer = await it.fetch(url, formOf(fields, body))
        expect([answer.status, await answer.text()]).toEqual([204, ''])
        expect(await it.store.head('uploads/up-1.mp4')).toMatchObject({ sizeBytes: 10, sha256 })
      },
    )

    test('of a form refuse another file, key, type and signature, and a time past', async () => {
      await using it = await open()
      const { url, fields } = await it.store.presignPost({ ...request, key: 'uploads/up-1.mp4' })
      const status = async (changed: Record<string, string>, file: Uint8Array<ArrayBuffer> = body) =>
        (await it.fetch(url, formOf({ ...fields, ...changed }, file))).status
      const typeField = Object.keys(fields).find((name) => /^content-type$/i.test(name)) ?? ''
      const signature = Object.keys(fields).find((name) => name.endsWith('-signature')) ?? ''
      expect(await status({}, bytes('9876543210'))).toBe(400)
      expect(await status({}, body.subarray(1))).toBe(400)
      expect(await status({}, bytes('0123456789a'))).toBe(400)
      expect(await status({ key: 'uploads/up-2.mp4' })).toBe(403)
      expect(await status({ [typeField]: 'text/html' })).toBe(403)
      expect(await status({ [signature]: '0'.repeat(64) })).toBe(403)
      expect(await status({ policy: Buffer.from('{}').toString('base64') })).toBe(403)
      expect((await it.store.list('uploads/')).keys).toEqual([])
      await expect(it.store.presignPost({ ...request, expiresS: 901 })).rejects.toMatchObject({
        kind: 'InvalidArgument',
      })
      if (!it.pass) return
      it.pass(901_000)
      expect(await status({})).toBe(403)
    })

    test('read one key, in ranges, under a safe name, for a while', async () => {
      await using it = await open()
      await it.store.put('media/m.mp4', body, sized(body))
      const filename = 'a "b"\r\nset-cookie: x 录像.mp4'
      const url = await it.store.presignGet({
        key: 'media/m.mp4',
        expiresS: 300,
        filename,
        contentType: 'video/mp4',
      })

      const whole = await it.fetch(url)
      expect(await whole.text()).toBe('0123456789')
      expect(whole.headers.get('content-type')).toBe('video/mp4')
      expect(whole.headers.get('content-disposition')).toContain("filename*=UTF-8''a%20%22b%22%0D%0A")
      expect(whole.headers.get('set-cookie')).toBeNull()

      const part = await it.fetch(url, { headers: { range: 'bytes=2-4' } })
      expect([part.status, await part.text(), part.headers.get('content-range')]).toEqual([
        206,
        '234',
        'bytes 2-4/10',
      ])
      const tail = await it.fetch(url, { headers: { range: 'bytes=-3' } })
      expect([tail.status, await tail.text()]).toEqual([206, '789'])
      expect((await it.fetch(url, { headers: { range: 'bytes=10-' } })).status).toBe(416)
      expect((await it.fetch(url.replace('m.mp4', 'n.mp4'))).status).toBe(403)
      expect((await it.fetch(url, { method: 'PUT', body })).status).toBe(403)
      if (!it.pass) return
      it.pass(301_000)
      expect((await it.fetch(url)).status).toBe(403)
    })

    test('live no longer than allowed', async () => {
      await using it = await open()
      await expect(it.store.presignPut({ ...request, expiresS: 901 })).rejects.toMatchObject({
        kind: 'InvalidArgument',
      })
      await expect(it.store.presignGet({ key: request.key, expiresS: 301 })).rejects.toMatchObject({
        kind: 'InvalidArgument',
      })
    })
  })
})
