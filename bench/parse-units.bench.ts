/**
 * What one picture of a phone costs on its way in: `node bench/parse-units.bench.ts`. Beside it the cost of copying
 * its bytes once, so that the figure means something on any machine.
 */
import { readFileSync } from 'node:fs'
import { splitAccessUnits, VideoUnitParser } from '../shared/media/access-unit-parser.ts'
import { DecodeTimes } from '../shared/media/reorder.ts'
import { Timeline } from '../shared/media/timeline.ts'
import { sharedPath } from '../test/support/shared-data.ts'

const rounds = 30

/** Median microseconds for each unit, over the rounds. */
function microseconds(units: readonly Uint8Array[], work: (unit: Uint8Array) => void): number {
  const times = Array.from({ length: rounds }, () => {
    const start = performance.now()
    for (const unit of units) work(unit)
    return ((performance.now() - start) * 1000) / units.length
  })
  return times.sort((a, b) => a - b)[rounds >> 1] ?? 0
}

for (const name of ['data/h264/kvs_640x480_403au.264', 'data/phone/chromium_phone.264']) {
  const path = sharedPath(name)
  if (!path) {
    console.log(`${name} is not here: skipped`)
    continue
  }
  const units = splitAccessUnits(readFileSync(path), 'h264')
  const parser = new VideoUnitParser('h264')
  const timeline = new Timeline({ wallMs: 0, monotonicMs: 0 })
  const decodeTimes = new DecodeTimes(0)
  let deviceMs = 0
  const parse = microseconds(units, (unit) => {
    parser.parse(unit)
    deviceMs += 33
    decodeTimes.next(timeline.map({ deviceMs, arrivalMs: deviceMs }).ptsMs)
  })
  const copy = microseconds(units, (unit) => void Uint8Array.prototype.slice.call(unit))
  const core = (parse * 50 * 30) / 10_000
  console.log(
    `${name}: ${parse.toFixed(2)} µs a picture, copy ${copy.toFixed(2)} µs; 50 phones: ${core.toFixed(2)} % of a core`,
  )
}
