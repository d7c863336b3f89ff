import { expect, test } from 'vitest'
import type { TlsFiles } from '../../../../agent/tls/certificate.ts'
import { watchCertificate } from '../../../../agent/tls/watch-certificate.ts'
import { certificateLookMs } from '../../../../shared/limits.ts'
import { ManualClock } from '../../../support/manual-clock.ts'

test('a new certificate is told once; one that cannot be read leaves the one before', async () => {
  const clock = new ManualClock()
  const told: string[] = []
  let read = async (): Promise<TlsFiles> => ({ key: '', cert: 'first' })
  using watch = watchCertificate({
    shown: { key: '', cert: 'first' },
    read: () => read(),
    clock,
    onNew: ({ cert }) => told.push(cert),
    onFault: (error) => told.push(String(error)),
  })
  await clock.advance(certificateLookMs)
  expect(told).toEqual([])
  read = async () => Promise.reject(new Error('half written'))
  await clock.advance(certificateLookMs)
  read = async () => ({ key: '', cert: 'second' })
  await clock.advance(2 * certificateLookMs)
  expect(told).toEqual(['Error: half written', 'second'])
  watch[Symbol.dispose]()
  read = async () => ({ key: '', cert: 'third' })
  await clock.advance(certificateLookMs)
  expect(told).toHaveLength(2)
})
