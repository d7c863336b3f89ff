import { expect, test } from 'vitest'
import type { VehicleFrame } from '../../../../agent/sim/vehicle-footage.ts'
import { heldFiles, timeOf } from '../../../../agent/sim/vehicle-resources.ts'
import { vehicleResources } from '../../../../shared/contract/vehicle-api.ts'

const frame = (dataType: VehicleFrame['dataType'], bytes: number): VehicleFrame => ({
  ...{ atMs: 0, stampMs: 0, dataType, payloadType: 98, body: new Uint8Array(bytes) },
})
const footage = { durationMs: 1000, frames: [frame(0, 600), frame(1, 200), frame(3, 200)] }

test('files of five minutes that cover the range, over midnight, as the API takes them', () => {
  const items = heldFiles({ fromMs: timeOf('260102235730'), toMs: timeOf('260103000501') }, footage)
  expect(items.map(({ startTime, endTime }) => `${startTime} ${endTime}`)).toEqual([
    '260102235500 260103000000',
    '260103000000 260103000500',
    '260103000500 260103001000',
  ])
  expect(items[0]).toMatchObject({ dataType: '0', size: '300000' })
  expect(vehicleResources.safeParse({ items }).success).toBe(true)
})

test('pictures alone; a range that is none, or longer than a day, is no endless list', () => {
  const pictures = { ...footage, frames: footage.frames.slice(0, 2) }
  const hour = { fromMs: timeOf('260102100000'), toMs: timeOf('260102110000') }
  expect(heldFiles(hour, pictures)).toHaveLength(12)
  expect(heldFiles(hour, pictures)[0]?.dataType).toBe('2')
  expect(heldFiles({ fromMs: hour.toMs, toMs: hour.fromMs }, footage)).toEqual([])
  expect(heldFiles({ fromMs: timeOf(''), toMs: timeOf('') }, footage)).toEqual([])
  expect(heldFiles({ fromMs: hour.fromMs, toMs: timeOf('990102100000') }, footage)).toHaveLength(288)
})
