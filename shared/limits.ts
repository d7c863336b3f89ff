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

// --- Phones
export const phoneTextCharsMax = 64 * KiB // The app's longest text, capabilities with 60 resolutions, is 6 kB.
export const phoneResolutionsMax = 512 // Two cameras with 60 sizes each are 120 entries.
export const phoneRatioMax = 10_000 // A side of an aspect ratio; also a width in pixels fits.
export const phoneBitrateMbMax = 200 // H.264 level 5.1 allows 240 Mbit/s; no phone streams more than this.
export const phoneFpsMax = 240 // Slow-motion cameras; the app itself stops at 60.
export const phonesMax = 200 // Connected at once: fifty is the goal, the rest is reconnects that overlap.
export const phonesWaitingMax = 20 // Unknown phones that wait to be allowed: a page of buttons, no more.
export const phoneWaitingMs = 600_000 // One that nobody allowed for ten minutes is sent away; it may come again.
export const phonesRememberedMax = 1000 // Allowed phones kept on disk; the oldest is forgotten.
export const phoneLossMs = 30_000 // A phone that comes back within it continues its recording (DESIGN.md).
export const phoneStartMs = 5000 // How long a start waits for capture_started: cameras open in 1 to 2 s.
export const phonePingMs = 2000 // Round-trip time, and the sign of life of a phone that films nothing.
export const phoneSilentMs = 15_000 // No message and no pong for this long: the connection is dead (RELIABILITY.md C7).
export const phoneAliveMs = 3000 // Heard within it, a phone is no ghost that one of the same name may replace.
export const phoneStrikesPerSecond = 3 // More bad packets in a second, and more bad than good: closed (RELIABILITY.md C8).
export const phonePacketBurst = 10_000 // What a phone's queue of 33 s may hold at 240 pictures a second.
export const phonePacketsPerSecond = 2000 // Refill of that bucket: eight times the fastest camera.
export const phoneTextsPerSecond = 100 // The app sends one text a second at most.
export const phoneSequenceJumpMax = 100_000 // Missing numbers beyond an hour at 30 a second: the numbering was restarted.
export const phoneSequenceLate = 16 // A step back by at most this is a late packet, beyond it a restart.

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

// --- Cloud: catalogue, store, queue
export const segmentLookupSlackMs = 600_000 // A segment is at most 120 s long; the rest is for a wall clock that was corrected.
export const rowBytesMax = 400 * KiB // DynamoDB's limit.
export const pageBytesMax = 1 * MiB // DynamoDB's limit of one page of a query.
export const transactionRowsMax = 100 // DynamoDB's limit.
export const transactionBytesMax = 4 * MiB // DynamoDB's limit.
export const partitionKeyBytesMax = 2048 // DynamoDB's limit.
export const sortKeyBytesMax = 1024 // DynamoDB's limit.
