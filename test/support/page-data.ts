import type { AgentStats, PhoneInfo, Role, StreamInfo, TokenInfo } from '../../shared/contract/agent-api.ts'
import type { AgentItem } from '../../shared/contract/agents-api.ts'
import type { Health, RecordingDetail } from '../../shared/contract/api.ts'
import type { Recording } from '../../shared/contract/recording.ts'
import type { Task } from '../../shared/contract/task.ts'
import type { HistoryItem, VehiclesAnswer } from '../../shared/contract/vehicle-api.ts'

/** What the fake server of the page's tests holds. Times are relative to `now`. */
export type PageData = {
  /** Of the archive; none when absent. */
  agents?: AgentItem[]
  signedOut: boolean
  role: Role
  streams: StreamInfo[]
  open: Recording[]
  phones: PhoneInfo[]
  stats: AgentStats
  archive: RecordingDetail[]
  tasks: Task[]
  tokens: TokenInfo[]
  /** What differs from a health in which all is well. */
  health?: Partial<Health>
  /** None are configured when absent. */
  vehicles?: VehiclesAnswer
  /** What each vehicle holds; without it no answer comes back. */
  held?: HistoryItem[]
  /** The token opens this stream alone. */
  onlyStream?: string
  /** Streams whose source does not come. */
  absent?: string[]
}

export const stream = (name: string, part: Partial<StreamInfo> = {}): StreamInfo => ({
  name,
  kind: 'phone',
  state: 'live',
  ring: 'always',
  upload: 'recordings',
  video: { codec: 'h264', codecString: 'avc1.42c01f', width: 1280, height: 720, rotation: 0 },
  units: 48_210,
  bytes: 812_000_000,
  bitsPerSecond: 4_080_000,
  fps: 29.8,
  gaps: 0,
  viewers: 1,
  recordings: [],
  ...part,
})

const phone = (id: string, model: string, address: string, part: Partial<PhoneInfo> = {}): PhoneInfo => ({
  id,
  model,
  address,
  state: 'ready',
  lastSeenAt: 0,
  roundTripMs: 7,
  refused: {},
  ...part,
})

function recording(
  now: number,
  ago: number,
  part: Partial<RecordingDetail> & { seconds: number; names: string[] },
): RecordingDetail {
  const { seconds, names, ...rest } = part
  const from = now - ago
  const to = from + seconds * 1000
  return {
    id: `20261120-${String(ago).padStart(9, '0')}`,
    agent: 'lab-pc',
    labels: [],
    from,
    to,
    createdAt: from,
    hold: false,
    gapCount: 0,
    state: 'ready',
    streams: names.map((name) => ({
      name,
      from,
      to,
      units: Math.round(seconds * 29.8),
      gaps: [],
      segments: [{ epoch: from, seq: 1, state: 'muxed' }],
      clock: { offsetMs: 0, boundMs: 4, source: 'device' },
      export: {
        task: `export-${ago}`,
        files: [
          {
            part: 0,
            from,
            to,
            codec: 'avc1.42c01f',
            width: 1280,
            height: 720,
            mp4Bytes: seconds * 500_000,
            sha256: '0'.repeat(64),
          },
        ],
      },
    })),
    ...rest,
  }
}

const minute = 60_000
const hour = 60 * minute

function archiveOf(now: number): RecordingDetail[] {
  const gapped = recording(now, 3 * hour, {
    seconds: 12,
    names: ['Pixel-6a', 'Pixel-7'],
    title: 'Violin, take 2',
  })
  const first = gapped.streams[0]
  first?.gaps.push(
    { from: gapped.from + 3000, to: gapped.from + 4600, cause: 'source-lost' },
    { from: gapped.from + 9000, to: gapped.from + 9240, cause: 'sequence', units: 7 },
  )
  const working = recording(now, 6 * minute, {
    seconds: 95,
    names: ['Pixel-6a'],
    title: 'Violin, take 3',
    state: 'processing',
  })
  for (const one of working.streams) one.export = { task: 'export-running', files: [] }
  const failed = recording(now, 26 * hour, {
    seconds: 40,
    names: ['door'],
    title: 'Corridor, night',
    state: 'failed',
  })
  for (const one of failed.streams) one.export = { task: 'export-failed', files: [] }
  return [
    working,
    gapped,
    recording(now, 4 * hour, {
      seconds: 64,
      names: ['Pixel-6a', 'Pixel-7', 'iPad', 'door'],
      title: 'Violin, take 1',
      hold: true,
    }),
    recording(now, 5 * hour, { seconds: 3720, names: ['door'] }),
    failed,
    recording(now, 27 * hour, { seconds: 610, names: ['Pixel-7'], title: 'Rehearsal' }),
  ]
}

function tasksOf(now: number): Task[] {
  const task = (id: string, part: Partial<Task>): Task => ({
    id,
    kind: 'export',
    status: 'SUCCESS',
    progress: 100,
    message: '',
    attempts: 1,
    createdAt: now - hour,
    updatedAt: now - hour,
    ...part,
  })
  return [
    task('export-running', {
      status: 'PROCESSING',
      progress: 62,
      message: 'writing part 1 of 1',
      updatedAt: now - 1000,
    }),
    task('export-waiting', {
      status: 'PENDING',
      progress: 0,
      message: 'waits for 2 segments',
      updatedAt: now - 9000,
    }),
    task('export-failed', {
      status: 'FAILED',
      progress: 10,
      reason: 'INVALID_FORMAT',
      detail: 'segment 1763550000000-000004: no key frame',
      attempts: 3,
      updatedAt: now - 26 * hour,
    }),
    task('export-10800000', { message: '1 file, 358 pictures' }),
  ]
}

function statsOf(now: number): AgentStats {
  return {
    agent: 'lab-pc',
    version: '0.1.0',
    now,
    uptimeMs: 9 * hour,
    process: { cpuSeconds: 500, rssBytes: 142_000_000, eventLoopDelayP99Ms: 1.4 },
    streams: { live: 3, waiting: 1 },
    viewers: 4,
    phones: { connected: 3, waiting: 1 },
    live: {
      publishers: { phone: 2, rtmp: 1 },
      viewers: { http: 1, ws: 3, rtmp: 0, grpc: 0 },
      rtmpConnections: 1,
      ...{ bytes: 3.2e9, skips: 2, skippedBytes: 4e6 },
      ended: { gone: 11, stalled: 1 },
      latencyMs: { p50: 0.5, p99: 3 },
      joinMs: { p50: 1, p99: 10 },
      hooks: { queued: 0, delivered: 0, failed: 0, dropped: 0 },
      forwards: [
        {
          ...{ stream: 'door', target: 'rtmp://live.example.org:1935/app', state: 'waiting', failures: 3 },
          ...{ bytes: 1e9, skips: 0, skippedBytes: 0, error: 'the server cannot be reached' },
        },
      ],
    },
    door: {
      lan: true,
      tls: false,
      addresses: ['127.0.0.1:50001', '192.168.1.10:50001', '10.0.0.4:50001'],
      allowWithoutToken: false,
    },
    ring: {
      usedBytes: 18.4e9,
      quotaBytes: 50e9,
      freeBytes: 212e9,
      segments: 1204,
      queueBytes: 0,
      reach: [
        { stream: 'Pixel-6a', from: now - 3 * hour, to: now, bytes: 5.4e9 },
        { stream: 'Pixel-7', from: now - 3 * hour, to: now, bytes: 5.1e9 },
        { stream: 'door', from: now - 31 * hour, to: now, bytes: 7.9e9 },
      ],
    },
    upload: { state: 'working', pendingSegments: 3, pendingBytes: 41_000_000, lastSuccessAt: now - 8000 },
  }
}

/** A lab in the middle of its day. */
export function busyLab(now: number): PageData {
  return {
    signedOut: false,
    role: 'admin',
    streams: [
      stream('Pixel-6a', { recordings: ['take-4'], viewers: 2 }),
      stream('Pixel-7', { recordings: ['take-4'], fps: 24.1, bitsPerSecond: 3_610_000 }),
      stream('door', {
        kind: 'rtmp',
        fps: 25,
        bitsPerSecond: 6_200_000,
        video: { codec: 'h265', codecString: 'hvc1.1.6.L120.90', width: 3840, height: 2160, rotation: 0 },
      }),
      stream('iPad', { state: 'waiting', lastUnitAt: now - 95_000, fps: 0, bitsPerSecond: 0, viewers: 0 }),
    ],
    open: [openRecording(now - 42_000, 'take-4', ['Pixel-6a', 'Pixel-7'], 'Violin, take 4')],
    phones: [
      phone('p1', 'Pixel 6a', '192.168.1.21', { state: 'capturing', stream: 'Pixel-6a', fps: 29.8 }),
      phone('p2', 'Pixel 7', '192.168.1.22', {
        state: 'capturing',
        stream: 'Pixel-7',
        fps: 24.1,
        roundTripMs: 31,
        refused: { 'length mismatch': 3 },
      }),
      phone('p3', 'SM-X200', '192.168.1.30', { state: 'lost', stream: 'iPad' }),
      phone('p4', 'Redmi Note 12', '192.168.1.44', { state: 'waiting' }),
    ],
    stats: statsOf(now),
    archive: archiveOf(now),
    tasks: tasksOf(now),
    tokens: [
      { id: 't1', name: 'admin', role: 'admin', createdAt: now - 90 * hour, lastUsedAt: now - 1000 },
      {
        id: 't2',
        name: 'tripod-left',
        role: 'publisher',
        stream: 'Pixel-6a',
        createdAt: now - 30 * hour,
        lastUsedAt: now - 50_000,
      },
      { id: 't3', name: 'wall-display', role: 'viewer', createdAt: now - 20 * hour },
    ],
  }
}

/** The first minute: nothing was ever connected, and only this computer can connect. */
export function newLab(now: number): PageData {
  const stats = statsOf(now)
  return {
    signedOut: false,
    role: 'admin',
    streams: [],
    open: [],
    phones: [],
    archive: [],
    tasks: [],
    tokens: [{ id: 't1', name: 'admin', role: 'admin', createdAt: now }],
    stats: {
      ...stats,
      uptimeMs: 30_000,
      streams: { live: 0, waiting: 0 },
      viewers: 0,
      phones: { connected: 0, waiting: 0 },
      door: { lan: false, tls: false, addresses: ['127.0.0.1:50001'], allowWithoutToken: false },
      ring: { usedBytes: 0, quotaBytes: 50e9, freeBytes: 212e9, segments: 0, queueBytes: 0 },
      upload: { state: 'idle', pendingSegments: 0, pendingBytes: 0 },
    },
  }
}

export function openRecording(from: number, id: string, names: string[], title?: string): Recording {
  return {
    version: 1,
    id,
    agent: 'lab-pc',
    rev: 1,
    state: 'open',
    ...(title !== undefined && { title }),
    labels: [],
    createdAt: from,
    from,
    to: null,
    streams: names.map((name) => ({ name, from, to: null, segments: [], gaps: [] })),
  }
}

/** What the archive shows of a recording after it was stopped at `to`. */
export function finished(open: Recording, to: number): RecordingDetail {
  const detail = recording(open.from, 0, {
    seconds: (to - open.from) / 1000,
    names: open.streams.map(({ name }) => name),
  })
  return { ...detail, id: open.id, ...(open.title !== undefined && { title: open.title }) }
}
