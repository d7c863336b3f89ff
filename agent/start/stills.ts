import type { Clock } from '../../shared/node/clock.ts'
import { findFfmpeg } from '../../shared/node/find-ffmpeg.ts'
import { cameraFailure } from '../camera-failure.ts'
import type { Hub } from '../hub/hub.ts'
import type { Sources } from '../ingest/sources.ts'
import { createToJpeg } from '../record/jpeg.ts'
import type { Recorders } from '../record/recorders.ts'
import { Snapshots } from '../record/snapshot.ts'
import type { Ring } from '../ring/types.ts'

export type StillParts = {
  hub: Pick<Hub, 'stream'>
  ring: Pick<Ring, 'segments' | 'read'>
  recorders: Pick<Recorders, 'flush' | 'openSince'>
  sources: Pick<Sources, 'hold' | 'info' | 'still'>
  clock: Clock
}

/** Stills of all streams, those of cameras that are fetched from included. */
export function createStills({ hub, ring, recorders, sources, clock }: StillParts): Snapshots {
  return new Snapshots({
    find: (name) => hub.stream(name),
    ...{ ring, recorder: recorders, clock },
    toJpeg: createToJpeg(findFfmpeg),
    vendorStill: (name) => sources.still(name),
    hold: (name) => sources.hold(name),
    failure: (name) => cameraFailure(sources, name),
  })
}
