/** Every bound of the system, one constant a line, its reason beside it. Sections follow the journey of a picture. */

const KiB = 1024
const MiB = 1024 * KiB

// --- Names and messages at the doors
export const messageBytesMax = 24 * MiB // A 4K key frame at 100 Mb/s is 12 MB; the phone app's own queue holds 16 MiB.
export const jsonBodyBytesMax = 1 * MiB // 50 segments with their files and hashes are 30 kB.
export const streamsMax = 1000 // One PC: 2 cores carry about 200 cameras; the rest is room for history and mistakes.

// --- Bitstreams
export const nalUnitsPerUnitMax = 1024 // Level 6.2 allows 600 slices a picture.
export const parameterSetBytesMax = 64 * KiB // avcC length fields are 16 bits.

// --- Time
export const clockJumpMs = 10_000 // A step of the device's clock this far ahead of arrival is a jump, not jitter.
export const reorderMs = 2000 // Stamps of B-frames step back by less than this.
export const frozenAfterMs = 2000 // The same stamp for this long, while pictures arrive: the clock stands still.

// --- Hub
export const gopCachePicturesMax = 4096 // RELIABILITY.md C9.
export const gopCacheBytesMax = 32 * MiB // RELIABILITY.md C9.
export const gopCacheMs = 30_000 // RELIABILITY.md C9.

// --- Ring
export const ringQueueBytesMax = 64 * MiB // 8 s of 50 streams at 1.3 Mb/s while the disk stands still; then GOPs are dropped.
export const syncEveryMs = 500 // A 1 s timer cannot promise a tail of 1 s (RELIABILITY.md, durability).
export const syncEveryBytes = 4 * MiB // Bounds the dirty pages of one stream.
export const segmentMs = 60_000 // Default of ring.segmentSeconds.
export const segmentBytesMax = 16 * MiB // One attempt of an upload at 2 Mb/s takes a minute.
export const segmentMsMax = 120_000 // No key frame for this long: cut anywhere.
export const claimEndMs = 3000 // A claim's end waits this long for a key frame before it cuts in mid-GOP.
