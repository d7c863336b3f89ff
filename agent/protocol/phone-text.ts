import { z } from 'zod'
import { AppError } from '../../shared/error.ts'
import { phoneResolutionsMax, phoneTextCharsMax } from '../../shared/limits.ts'

export type Rotation = 0 | 90 | 180 | 270

/** A text message from a phone (PROTOCOLS.md 8). What is unknown is `other`: newer apps may say more. */
export type PhoneMessage =
  | { kind: 'ready' }
  | { kind: 'capabilities'; capabilities: PhoneCapabilities }
  | { kind: 'capture-started'; rotation?: Rotation }
  | { kind: 'capture-stopped' }
  | { kind: 'rotation'; rotation: Rotation }
  | { kind: 'error'; message: string }
  | { kind: 'other' }

export type PhoneCapabilities = {
  model: string | undefined
  sdk: number | undefined
  resolutions: { width: number; height: number }[]
}

const shownCharsMax = 80 // A model's name or an error beside a phone on the page: one line.
const size = z.int().min(1).max(65535)
const resolution = z.looseObject({ width: size, height: size })
// A phone that describes itself badly can still film: each part that cannot be read is left out alone.
const message = z.looseObject({
  status: z.string().optional().catch(undefined),
  type: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  deviceModel: z.string().optional().catch(undefined),
  sdkInt: z.int().min(0).optional().catch(undefined),
  resolutions: z.array(resolution).max(phoneResolutionsMax).catch([]),
  rotation: z
    .union([z.literal(0), z.literal(90), z.literal(180), z.literal(270)])
    .optional()
    .catch(undefined),
})
type RawMessage = z.infer<typeof message>

/** Throws `InvalidArgument` for a text that is too long, not JSON, or not an object. */
export function parsePhoneMessage(text: string): PhoneMessage {
  if (text.length > phoneTextCharsMax) {
    throw new AppError('InvalidArgument', `phone message: ${text.length} characters are too many`)
  }
  const parsed = message.safeParse(parseJson(text))
  if (!parsed.success) throw new AppError('InvalidArgument', 'phone message: not a JSON object')
  return meaning(parsed.data)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new AppError('InvalidArgument', 'phone message: not JSON', { cause })
  }
}

function meaning(raw: RawMessage): PhoneMessage {
  if (raw.type === 'capabilities') return { kind: 'capabilities', capabilities: capabilitiesOf(raw) }
  switch (raw.status) {
    case 'ready':
      return { kind: 'ready' }
    case 'capture_started':
      return { kind: 'capture-started', ...(raw.rotation === undefined ? {} : { rotation: raw.rotation }) }
    case 'capture_stopped':
      return { kind: 'capture-stopped' }
    case 'rotation_info':
      return raw.rotation === undefined ? { kind: 'other' } : { kind: 'rotation', rotation: raw.rotation }
    case 'error':
      return { kind: 'error', message: printable(raw.message ?? 'the phone reported an error') }
    default:
      return { kind: 'other' }
  }
}

function capabilitiesOf(raw: RawMessage): PhoneCapabilities {
  return {
    model: raw.deviceModel === undefined ? undefined : printable(raw.deviceModel),
    sdk: raw.sdkInt,
    resolutions: raw.resolutions.map(({ width, height }) => ({ width, height })),
  }
}

/** One short line without control or direction characters, for logs and the page. */
function printable(text: string): string {
  return text
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, ' ')
    .trim()
    .slice(0, shownCharsMax)
}

/** What `phones start` asks for. `fps` 0: as many as the phone can; no `aspectRatio`: as the phone likes. */
export type CaptureOptions = {
  aspectRatio?: { width: number; height: number }
  bitrateMb: number
  fps: number
}

/** The payload is obligatory: the app ignores a start without one. `bitrate` is in Mbit/s. */
export function startCapture({ aspectRatio, bitrateMb, fps }: CaptureOptions): string {
  const payload = { format: 'h264', bitrate: bitrateMb, fps, ...(aspectRatio ? { aspectRatio } : {}) }
  return JSON.stringify({ command: 'start_capture', payload })
}

export function stopCapture(): string {
  return JSON.stringify({ command: 'stop_capture' })
}
