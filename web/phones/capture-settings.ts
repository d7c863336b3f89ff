import type { StartPhones } from '../../shared/contract/agent-api.ts'

/** What is typed into the start form. */
export type CaptureFields = { aspect: string; bitrate: string; fps: string }
export type CaptureErrors = Partial<Record<keyof CaptureFields, true>>

// The defaults of the phone app's own server: no aspect ratio, 4 Mb/s, 10 pictures per second.
export const captureDefaults: CaptureFields = { aspect: '', bitrate: '4', fps: '10' }

/** Reads the form; a field that cannot be read is named in `errors`. A negative rate is left to the agent (it means 10). */
export function readCapture(fields: CaptureFields): { settings: StartPhones; errors: CaptureErrors } {
  const settings: StartPhones = {}
  const errors: CaptureErrors = {}
  const aspect = /^(\d{1,5})\s*[:x×：]\s*(\d{1,5})$/.exec(fields.aspect.trim())
  if (aspect && Number(aspect[1]) > 0 && Number(aspect[2]) > 0) {
    settings.width = Number(aspect[1])
    settings.height = Number(aspect[2])
  } else if (fields.aspect.trim() !== '') errors.aspect = true

  const bitrate = Number(fields.bitrate)
  if (fields.bitrate.trim() !== '' && !(bitrate > 0 && bitrate <= 1000)) errors.bitrate = true
  else if (fields.bitrate.trim() !== '') settings.bitrateMb = bitrate

  const fps = Number(fields.fps)
  if (!Number.isInteger(fps) || Math.abs(fps) > 1000) errors.fps = true
  else if (fields.fps.trim() !== '') settings.fps = fps
  return { settings, errors }
}
