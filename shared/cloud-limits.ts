/** The bounds of the cloud side, each with its reason; those of the agent and of both are in limits.ts. */

const KiB = 1024
const MiB = 1024 * KiB

// --- Cloud: catalogue, store, queue
export const segmentLookupSlackMs = 600_000 // A segment is at most 120 s long; the rest is for a wall clock that was corrected.
export const rowBytesMax = 400 * KiB // DynamoDB's limit.
export const pageBytesMax = 1 * MiB // DynamoDB's limit of one page of a query.
export const transactionRowsMax = 100 // DynamoDB's limit.
export const transactionBytesMax = 4 * MiB // DynamoDB's limit.
export const partitionKeyBytesMax = 2048 // DynamoDB's limit.
export const sortKeyBytesMax = 1024 // DynamoDB's limit.

// --- Cloud on AWS
export const awsAttemptsMax = 8 // Full jitter up to 20 s each: a minute of SlowDown is waited out.
export const awsConnectMs = 5000 // Within a region a connection takes milliseconds; two lost SYNs take 3 s.
export const awsIdleMs = 30_000 // A black-holed connection is noticed within it (RELIABILITY.md B3).
export const awsSocketsMax = 50 // A batch of 50 segments asks for 200 heads at once.
export const awsRowTriesMax = 10 // Lost races of writes that have no condition of their own.
export const awsListPollS = 1 // A long poll asks all servers of a queue; a short one finds only some messages.
export const awsListVisibilityS = 30 // Dead letters are out of sight while they are listed; then they are put back.
export const awsReadAgainMax = 5 // A body that breaks off goes on at its last byte; so often in a row, no more.
export const rarelyReadBytesMin = 128 * KiB // S3 bills a smaller object of STANDARD_IA as this much.
export const multipartBytes = 8 * MiB // One part of a long object: sent again as a whole when its connection breaks.
export const multipartPartsMax = 10_000 // S3's limit; parts grow for objects over 80 GB.
export const multipartAtOnceMax = 4 // 40 MB of memory; fills 600 MB/s at 50 ms a part.
export const storedSumsMax = 100 // Checksums of objects that this process wrote in parts and may ask for.
export const lambdaShutdownMs = 5000 // For FFmpeg to die, uploads to be aborted and the row to be given back.

// --- BeatSync and what people upload
export const uploadBytesMax = 100 * MiB // CONTRACT.md, Cloud API: a dance of five minutes as phones and their apps keep it.
export const uploadFormS = 900 // As uploadUrlS: 100 MB at 1 Mb/s take longer, and ask again.
export const uploadFieldsBytesMax = 64 * KiB // The fields of a form before its file: a policy and a few names.
export const uploadsPerUserMax = 50 // Unused uploads of one person at once: 5 GB for a day.
export const beatsyncDurationMsMax = 15 * 60_000 // Alignment takes 25 bytes of memory a sample, 8000 a second, of both.
export const beatsyncPixelsMax = 8192 * 4320 // The largest picture of a camera that people own.
export const beatsyncPacketsBytesMax = 32 * MiB // 70 bytes a packet: 15 minutes of 240 pictures a second and sound are 25 MB.
export const beatsyncReadTimeoutMs = 120_000 // Decoding 15 minutes of sound takes 5 s; on a busy machine ten times that.
export const beatsyncResultBytesMax = 256 * MiB // Both files' bytes, or the pictures encoded again.
export const beatsyncMoovBytesMax = 16 * MiB // 15 minutes of 240 pictures a second have 4 MB of tables.
export const beatsyncSoftMs = 240_000 // PROTOCOLS.md 10: then the work is told to stop …
export const beatsyncHardMs = 300_000 // … and then it is given up.
export const beatsyncDiskBytes = 128 * MiB // Left free beside what a job will write.
export const beatsyncPerUser = 2 // PROTOCOLS.md 10: at work at once for one person.
export const beatsyncAtOnce = 2 // And in all on one PC; on AWS the queue's concurrency says.
export const beatsyncOpenPerUser = 20 // Unfinished tasks of one person, waiting included.
export const beatsyncOpenMax = 200 // Of all: an hour of work at 20 s each.
export const beatsyncWaitS = 3 // A task that has to wait for another looks again.
export const beatsyncKeepMs = 24 * 3_600_000 // PROTOCOLS.md 10: results live 24 h.
export const beatsyncReuseMs = 23 * 3_600_000 // An older result is made anew: who gets it has an hour to fetch it.

// --- Cloud API
export const bearerTokenCharsMax = 512 // Ours are 43; room for what a gateway wraps around them.
export const rangePlaylistMsMax = 86_400_000 // A day of minutes is a playlist of 300 KB.
export const catalogueTurnRows = 500 // A job that goes through all rows lets requests in so often: every 10 ms.
export const claimsFreshMs = 60_000 // A heartbeat: what agents told of open recordings may be as old anyway.
export const edgeIndexesMax = 8 // Indexes read for one stream of an answer: a recording cuts a segment at each end; more is a clock that was set.
export const listScanMax = 1000 // Rows that one page of a filtered list looks at: a second of DynamoDB at most.
export const mediaUrlS = 300 // A player asks again for each segment; a link that was copied dies in five minutes.
export const uploadUrlS = 900 // RELIABILITY.md H7; 16 MB at 150 kb/s.
export const shareDefaultS = 7 * 86_400 // A week: what a person who shares a take expects.
export const shareMaxS = 366 * 86_400 // A share for ever is a hole; who needs one makes it again.
export const segmentsRangeMsMax = 31 * 86_400_000 // 31 days of one stream are 45 thousand segments to look through.
export const rawFileBytesMax = 128 * MiB // segmentBytesMax and the longest GOP after it at 100 Mb/s.
export const rawJsonBytesMax = 4 * MiB // 10 000 gaps of 100 bytes in each of three streams.
export const sendAgainMax = 500 // Tasks sent for again in one run of `expire`: a minute of DynamoDB; the next run goes on.
export const expireParallel = 32 // Five requests of 20 ms for a segment: 320 a second, as 9600 cameras of 30 s make.
export const deletingMsMax = 15 * 60_000 // A function lives no longer: by then the objects of a deleted segment are gone.
export const requeueAfterMs = 15 * 60_000 // A mux takes seconds: after this its message was lost (DESIGN.md, Upload).
export const wakeLostMax = 200 // Segments looked for in one check of a recording; what has come by the next leaves room for others.
export const wakeLostParallel = 8 // A look takes 20 ms: half a second for all.
export const agentStateBytesMax = 64 * KiB // 50 streams with 1 kB each.
export const enrolCodeMs = 15 * 60_000 // Long enough to walk to the machine; 80 bits are not guessed in it.
export const agentOfflineMs = 180_000 // Three heartbeats were missed.
