import { expect, test } from 'vitest'
import { Heartbeat } from '../../../../agent/upload/heartbeat.ts'
import type { ReportedConfig, VersionedConfig } from '../../../../shared/contract/agents-api.ts'
import type { Heartbeat as Sent } from '../../../../shared/contract/upload-api.ts'
import { FakeClock } from '../../../support/fake-clock.ts'

const config: VersionedConfig = { version: 7, wanted: {} }

/** A cloud whose clock is ahead, at the end of a line that takes `oneWayMs` each way. */
function rig(options: { aheadMs: number; oneWayMs: number; config?: VersionedConfig }) {
  const clock = new FakeClock()
  const sent: Sent[] = []
  let reported: ReportedConfig | undefined
  const heartbeat = new Heartbeat(
    {
      source: { unfinishedClaims: async () => [] },
      ...{ clock, version: '1', agentState: () => ({}) },
      wanted: {
        report: () => reported,
        async receive({ version }) {
          if (reported?.version === version) return false
          reported = { version, state: 'applied' }
          return true
        },
      },
    },
    {
      async heartbeat(body) {
        sent.push(body)
        clock.advance(options.oneWayMs)
        const nowMs = clock.nowMs() + options.aheadMs
        clock.advance(options.oneWayMs)
        return { nowMs, ...(options.config && { config: options.config }) }
      },
    },
  )
  return { heartbeat, sent }
}

const never = new AbortController().signal

test.each([
  [0, 20],
  [3_600_000, 400],
  [-90_000, 0],
])('a clock that is off by %d ms over a line of %d ms is measured and told', async (aheadMs, oneWayMs) => {
  const { heartbeat, sent } = rig({ aheadMs, oneWayMs })
  await heartbeat.send({}, never)
  expect(heartbeat.clockOffset).toEqual({ offsetMs: aheadMs, boundMs: oneWayMs })
  await heartbeat.send({}, never)
  expect(sent.map(({ clock }) => clock)).toEqual([undefined, { offsetMs: aheadMs, boundMs: oneWayMs }])
})

test('a new configuration is reported at once, a known one is not', async () => {
  const { heartbeat, sent } = rig({ aheadMs: 0, oneWayMs: 1, config })
  await heartbeat.send({}, never)
  expect(sent.map((body) => body.config)).toEqual([undefined, { version: 7, state: 'applied' }])
  await heartbeat.send({}, never)
  expect(sent).toHaveLength(3)
})
