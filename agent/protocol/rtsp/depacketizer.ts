import type { Received } from './rtp.ts'

/** What the packets of one time make: a picture's NAL units, or one frame of sound. */
export type RtpUnit = {
  /** 32 bits, in ticks of the media's clock. */
  timestamp: number
  /** Ticks to add: frames that share a packet follow each other. */
  offset: number
  /** Its own: packets are written over by the next read. Of sound one element. */
  parts: Uint8Array[]
  /** Some of it did not come, or could not be read. */
  damaged: boolean
  /** Packets that are missing between the unit before and the end of this one. */
  lost: number
  /** Monotonic ms of its last packet. */
  arrivalMs: number
}

export type Depacketizer = {
  /** Never throws. */
  push(received: Received): RtpUnit[]
  /** Nothing more comes: what is under way. */
  end(): RtpUnit[]
  /** Packets that could not be read. */
  readonly refused: number
}
