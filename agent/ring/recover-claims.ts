import { join } from 'node:path'
import { type Recording, recording as recordingSchema } from '../../shared/contract/recording.ts'
import type { Claims } from './claims.ts'
import type { Layout } from './names.ts'
import { readSalvaged } from './read-salvaged.ts'
import type { RingFs } from './ring-fs.ts'
import { sumOf, unlinkIfThere, writeDurably } from './write-durably.ts'

/**
 * Makes the rows of recordings agree with their files. A file that cannot be read is set aside and, if the row
 * still has its text, written again. Must run before the rows of segments are made: they take their claims from here.
 */
export function recoverClaims(
  fs: RingFs,
  layout: Layout,
  claims: Claims,
): { name: string; reason: string }[] {
  const quarantined: { name: string; reason: string }[] = []
  const known = new Map(claims.list().map((recording) => [recording.id, recording]))
  for (const { name, directory } of fs.list(layout.recordings)) {
    const path = join(layout.recordings, name)
    if (directory) continue
    if (name.endsWith('.tmp')) {
      unlinkIfThere(fs, path)
      continue
    }
    const bytes = readSalvaged(fs, path)
    const recording = parse(bytes, name)
    if (recording) {
      if (known.get(recording.id)?.rev !== recording.rev) {
        claims.index(recording, Buffer.from(bytes).toString(), sumOf(bytes))
      }
      known.delete(recording.id)
      continue
    }
    quarantined.push({ name, reason: 'not a recording' })
    fs.mkdir(layout.quarantine)
    fs.rename(path, join(layout.quarantine, `recording.${name}`))
  }
  // What is left has a row but no file.
  for (const recording of known.values()) {
    writeDurably(fs, layout.recording(recording.id), Buffer.from(JSON.stringify(recording)))
  }
  return quarantined
}

function parse(bytes: Uint8Array, name: string): Recording | undefined {
  try {
    const recording = recordingSchema.parse(JSON.parse(Buffer.from(bytes).toString()))
    return `${recording.id}.json` === name ? recording : undefined
  } catch {
    return undefined
  }
}
