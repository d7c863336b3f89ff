import { expect, test } from 'vitest'
import { Metrics } from '../../../../agent/control/metrics.ts'
import { labelSetsMax } from '../../../../shared/limits.ts'

test('writes the Prometheus text format', () => {
  const metrics = new Metrics()
  const refused = metrics.counter('refused_total', 'Refused')
  metrics.gauge('live', 'Live', () => 3)
  const latency = metrics.histogram('latency_seconds', 'Latency', [0.1, 1])
  refused.add({ reason: 'short' })
  refused.add({ reason: 'a "b"\\\n' }, 2)
  for (const value of [0.05, 0.1, 0.5, 7]) latency.observe(value)
  expect(metrics.text()).toBe(`# HELP refused_total Refused
# TYPE refused_total counter
refused_total{reason="short"} 1
refused_total{reason="a \\"b\\"\\\\\\n"} 2
# HELP live Live
# TYPE live gauge
live 3
# HELP latency_seconds Latency
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 2
latency_seconds_bucket{le="1"} 3
latency_seconds_bucket{le="+Inf"} 4
latency_seconds_sum 7.65
latency_seconds_count 4
`)
})

test('a hundred thousand label sets are counted, not kept (RELIABILITY.md H9)', () => {
  const metrics = new Metrics()
  const counter = metrics.counter('units_total', 'Units')
  for (let i = 0; i < 100_000; i += 1) counter.add({ stream: `s${i}` })
  const lines = metrics.text().trim().split('\n').slice(2)
  expect(lines).toHaveLength(labelSetsMax + 1)
  expect(lines.at(-1)).toBe(`units_total{stream="other"} ${100_000 - labelSetsMax}`)
})
