import type { HistoryInfo, VehiclesAnswer } from '../../shared/contract/vehicle-api.ts'
import { busyLab, type PageData, stream } from './page-data.ts'

type Answer = { status: number; body: unknown }
type Body = Record<string, unknown>

const ok = (body: unknown, status = 200): Answer => ({ status, body })
const refuse = (status: number, message: string, messageZh: string): Answer => ({
  status,
  body: { error: { code: 'Refused', message, messageZh, requestId: 'test' } },
})

const none: VehiclesAnswer = { doors: [], connected: [], vehicles: [], histories: [] }
const zoneMs = 8 * 3_600_000

/** `/agent/v1/vehicles` of the page's fake server. */
export function answerVehicles(data: PageData, method: string, path: string, body: Body): Answer {
  const [, , , , name, , what] = path.split('/')
  if (name === undefined) return ok(data.vehicles ?? none)
  if (method === 'GET') {
    if (name.startsWith('ffff')) {
      return refuse(403, 'this vehicle is not on the list, or its port is off', '该车辆不在允许列表中。')
    }
    const channel = Number.parseInt(name.slice(-2), 16)
    return ok({ name, sim: name.slice(0, -2), channel, zoneMs })
  }
  if (what === 'query') {
    if (!data.held) return refuse(504, 'the vehicle did not say what it holds', '车辆没有返回录像列表。')
    return ok({ items: data.held })
  }
  return what === 'control' ? controlHistory(data, name, body) : playHistory(data, name, body)
}

function playHistory(data: PageData, vehicle: string, body: Body): Answer {
  const range = { from: Number(body.from), to: Number(body.to) }
  const history: HistoryInfo = {
    ...{ vehicle, stream: `replay-${vehicle}-t0`, ...range, state: 'playing' },
    position: range.from + 61_000,
    ...(body.record === true ? { recording: 'from-vehicle' } : {}),
  }
  if (data.vehicles) data.vehicles.histories = [history]
  return ok(history, 201)
}

function controlHistory(data: PageData, vehicle: string, body: Body): Answer {
  const history = data.vehicles?.histories.find((one) => one.vehicle === vehicle)
  if (!history) return refuse(404, 'no history of this channel was asked for', '未请求过该通道的历史录像。')
  if (body.action === 'pause') history.state = 'paused'
  if (body.action === 'resume') history.state = 'playing'
  if (body.action === 'seek') history.position = Number(body.at)
  if (body.action === 'stop') Object.assign(history, { state: 'over', end: 'stopped' })
  return ok(history)
}

/** Two vehicles on the road, one of them with two channels and a range that plays. */
export function onTheRoad(now: number): PageData {
  const lab = busyLab(now)
  const video = { codec: 'h264', codecString: 'avc1.42c01f', width: 1280, height: 720, rotation: 0 }
  const names = ['06495940943801', '06495940943803', '0000000001380013800001'] as const
  const streams = names.map((name, i) =>
    stream(name, { kind: 'vehicle', video, fps: 25, bitsPerSecond: 512_000 + 90_000 * i, viewers: i }),
  )
  const connected = names.map((name, i) => ({
    ...{ name, sim: name.slice(0, -2), channel: Number.parseInt(name.slice(-2), 16) },
    version: name.length === 14 ? (2016 as const) : (2019 as const),
    door: 'live' as const,
    connectedAt: now - 754_000 - i * 60_000,
    ...{ packets: 71_204, bytes: 61_300_000 },
  }))
  const byItself = {
    ...{ name: 'replay-06495940943801', sim: '064959409438', channel: 1, version: 2016 as const },
    ...{ door: 'history' as const, connectedAt: now - 31_000, packets: 2204, bytes: 2_300_000 },
  }
  const file = (n: number) => ({
    from: Math.floor(now / 1000) * 1000 - 3_600_000 + n * 300_000,
    to: Math.floor(now / 1000) * 1000 - 3_300_000 + n * 300_000,
    ...{ media: 'av' as const, stream: 'main' as const, memory: 'main' as const },
    ...{ sizeBytes: 18_400_000 + n * 1_200_000, alarm: n === 2 ? '4' : '0' },
  })
  return {
    ...lab,
    streams,
    open: [],
    vehicles: {
      doors: ['live', 'history'],
      connected: [...connected, byItself],
      vehicles: [],
      histories: [],
      commands: { to: 'redis://127.0.0.1:6379', queued: 0, sent: 4, failed: 0, expired: 0, dropped: 0 },
    },
    held: [0, 1, 2, 3].map(file),
    absent: ['01390013900001'],
  }
}
