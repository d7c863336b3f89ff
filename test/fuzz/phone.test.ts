import fc from 'fast-check'
import { expect, test } from 'vitest'
import { PhonePictures } from '../../agent/ingest/phone-pictures.ts'
import { PhoneSession } from '../../agent/ingest/phone-session.ts'
import { formatPhonePacket, parsePhonePacket } from '../../agent/protocol/phone.ts'
import { parseStartArguments } from '../../agent/protocol/phone-start.ts'
import { parsePhoneMessage } from '../../agent/protocol/phone-text.ts'
import { AppError } from '../../shared/error.ts'
import { parameterSets, picture } from '../support/fake-phone.ts'

/** A value, or an error of ours: never another one. */
function valueOrRefusal<T>(parse: () => T): T | undefined {
  try {
    return parse()
  } catch (error) {
    expect(error).toBeInstanceOf(AppError)
    expect((error as AppError).kind).toBe('InvalidArgument')
    return undefined
  }
}

test('any bytes are a packet or refused', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      const packet = valueOrRefusal(() => parsePhonePacket(bytes))
      if (packet) expect(formatPhonePacket(packet)).toEqual(bytes)
    }),
    { numRuns: 2000 },
  )
})

test('any packet is read as it was written', () => {
  const packets = fc.record({
    deviceMs: fc.nat(Number.MAX_SAFE_INTEGER),
    sequence: fc.nat(0xffffffff),
    payload: fc.uint8Array({ minLength: 1, maxLength: 300 }),
  })
  fc.assert(
    fc.property(packets, (packet) => {
      expect(parsePhonePacket(formatPhonePacket(packet))).toEqual(packet)
    }),
  )
})

test('any text is a message or refused, and what it shows is one short line', () => {
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.json(), statusTexts())
  fc.assert(
    fc.property(texts, (text) => {
      const message = valueOrRefusal(() => parsePhoneMessage(text))
      if (message?.kind === 'error') expect(message.message).toMatch(/^[^\p{Cc}\p{Cf}]{0,80}$/u)
      if (message?.kind === 'capabilities')
        expect(message.capabilities.model ?? '').toMatch(/^[^\p{Cc}\p{Cf}]{0,80}$/u)
    }),
    { numRuns: 2000 },
  )
})

test('any words after start are options or refused', () => {
  const words = fc.array(
    fc.oneof(fc.string(), fc.integer().map(String), fc.constantFrom('16:9', '0:0', '-1', '4')),
  )
  fc.assert(
    fc.property(words, (parts) => {
      const options = valueOrRefusal(() => parseStartArguments(parts.join(' ')))
      if (!options) return
      expect(options.bitrateMb).toBeGreaterThan(0)
      expect(options.fps).toBeGreaterThanOrEqual(0)
    }),
    { numRuns: 2000 },
  )
})

function statusTexts() {
  const status = fc.constantFrom('ready', 'capture_started', 'capture_stopped', 'rotation_info', 'error', 'x')
  return fc
    .record(
      {
        status,
        rotation: fc.oneof(fc.constantFrom(0, 90, 180, 270), fc.anything()),
        message: fc.string(),
        deviceModel: fc.anything(),
      },
      { requiredKeys: [] },
    )
    .map((message) => JSON.stringify(message) ?? '')
}

type Step = { text: string } | { bytes: Uint8Array } | { wait: number } | { away: true } | { stop: true }

function steps(): fc.Arbitrary<Step[]> {
  const header = {
    deviceMs: fc.oneof(fc.nat(100_000), fc.nat(Number.MAX_SAFE_INTEGER)),
    sequence: fc.nat(0xffffffff),
  }
  const good = fc.record({ ...header, n: fc.nat(40) })
  const wrong = fc.record({ ...header, payload: fc.uint8Array({ minLength: 1, maxLength: 40 }) })
  const mutated = fc.tuple(fc.nat(60), fc.nat(255), fc.nat(40)).map(([at, value, n]) => {
    const payload = Uint8Array.from(picture(n, { key: true }))
    payload[at % payload.length] = value
    return payload
  })
  return fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: good.map(({ n, ...rest }) => ({
          bytes: formatPhonePacket({ ...rest, payload: picture(n) }),
        })),
      },
      wrong.map((packet) => ({ bytes: formatPhonePacket(packet) })),
      fc
        .tuple(fc.nat(1000), mutated)
        .map(([sequence, payload]) => ({ bytes: formatPhonePacket({ deviceMs: 5, sequence, payload }) })),
      fc.constant({ bytes: formatPhonePacket({ deviceMs: 0, sequence: 0, payload: parameterSets }) }),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ bytes })),
      statusTexts().map((text) => ({ text })),
      fc.nat(40_000).map((wait) => ({ wait })),
      fc.constant({ away: true as const }),
      fc.constant({ stop: true as const }),
    ),
    { maxLength: 60 },
  )
}

test('whatever a phone does, each picture is a unit or counted, in order, between a begin and an end', () => {
  fc.assert(
    fc.property(steps(), (doings) => {
      const at = { monotonicMs: 1000, wallMs: 1_800_000_000_000 }
      const session = new PhoneSession(new PhonePictures(at))
      let sent = 0
      let units = 0
      let open = false
      let lastDtsMs = Number.NEGATIVE_INFINITY
      const apply = (effects: ReturnType<PhoneSession['tick']>) => {
        for (const effect of effects) {
          if (effect.kind === 'begin') open = true
          if (effect.kind === 'end') open = false
          if (effect.kind === 'gap') expect(effect.gap.toMs).toBeGreaterThanOrEqual(effect.gap.fromMs)
          if (effect.kind !== 'unit') continue
          expect(open).toBe(true)
          units += 1
          expect(effect.unit.dtsMs).toBeGreaterThanOrEqual(lastDtsMs)
          expect(effect.unit.ptsMs).toBeGreaterThanOrEqual(effect.unit.dtsMs)
          lastDtsMs = effect.unit.dtsMs
        }
      }
      session.attach()
      for (const doing of doings) {
        at.monotonicMs += 10
        at.wallMs += 10
        const now = { ...at }
        if ('bytes' in doing) {
          sent += 1
          try {
            apply(session.packet(doing.bytes, now))
          } catch (error) {
            expect(error).toBeInstanceOf(AppError)
          }
        } else if ('text' in doing) {
          const message = valueOrRefusal(() => parsePhoneMessage(doing.text))
          if (message) apply(session.text(message, now))
        } else if ('wait' in doing) {
          at.monotonicMs += doing.wait
          at.wallMs += doing.wait
          apply(session.tick({ ...at }))
        } else if ('away' in doing) {
          apply(session.detach(now))
          session.attach()
        } else apply(session.stop())
      }
      apply(session.detach({ ...at }))
      apply(session.tick({ monotonicMs: at.monotonicMs + 60_000, wallMs: at.wallMs + 60_000 }))
      expect(open).toBe(false)
      const refused = Object.values(session.refused).reduce((sum, count) => sum + count, 0)
      expect(units + refused).toBeLessThanOrEqual(sent) // The rest were parameter sets alone.
    }),
    { numRuns: 1500 },
  )
})
