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
export const parameterSetsBytesMax = 256 * KiB // All of one stream: 32 SPS and 255 PPS of the usual 10 to 60 bytes are 16 kB.
export const pictureSideMax = 16_896 // Level 6.2 of both codecs, √(8 × its largest picture), in whole macroblocks.
export const reorderDepthMax = 16 // Largest decoded picture buffer of both codecs.
export const sampleRateMax = 192_000 // Twice the largest sample rate that has an index in AAC.
export const adtsFramesMax = 1_000_000 // Six hours of sound at 48 kHz in one file.
export const indexHeaderBytesMax = 512 * KiB // VPS, SPS and PPS at their bound, in hex; real ones are below 1 KiB.
export const flvTagBytesMax = 12 * MiB // A 4K key frame at 100 Mb/s; the format itself ends at 16 MiB.
export const amfBytesMax = 1 * MiB // onMetaData with the key frames of a long file; commands are below 4 KiB.
export const amfDepthMax = 16 // onMetaData nests three deep; deeper must not reach the end of the stack.
export const amfKeysMax = 1024 // Keys in one message: encoders send below 100; RELIABILITY.md C1 sends 10,000.
export const amfValuesMax = 65_536 // Array elements included: a key frame every second for nine hours, two lists.
export const mp4ReadBytesMax = 4 * MiB // One read of a movie's plan, unless one sample is larger.

// --- Time
export const clockJumpMs = 10_000 // A step of the device's clock this far ahead of arrival is a jump, not jitter.
export const reorderMs = 2000 // Stamps of B-frames step back by less than this.
export const frozenAfterMs = 2000 // The same stamp for this long, while pictures arrive: the clock stands still.
export const clockSaneAfterMs = 10_000 // A clock that was not followed has to run true for this long.
export const clockStepsMax = 5 // More epochs than this within clockStepsWindowMs: the clock is not followed.
export const clockStepsWindowMs = 60_000 // Each epoch is a segment: a clock that leaps to and fro must not fill the ring with them.
export const clockBoundUnknownMs = 1000 // Error of the wall time where no round trip is known: a bad Wi-Fi's delay.

// --- Phones
export const phoneTextCharsMax = 64 * KiB // The app's longest text, capabilities with 60 resolutions, is 6 kB.
export const phoneResolutionsMax = 512 // Two cameras with 60 sizes each are 120 entries.
export const phoneRatioMax = 10_000 // A side of an aspect ratio; also a width in pixels fits.
export const phoneBitrateMbMax = 200 // H.264 level 5.1 allows 240 Mbit/s; no phone streams more than this.
export const phoneFpsMax = 240 // Slow-motion cameras; the app itself stops at 60.
export const phonesMax = 200 // Connected at once: fifty is the goal, the rest is reconnects that overlap.
export const phonesWaitingMax = 20 // Unknown phones that wait to be allowed: a page of buttons, no more.
export const phoneStrangersMax = 100 // Connections without a token that are not phones yet: room for those with one is left.
export const phoneWaitingMs = 600_000 // One that nobody allowed for ten minutes is sent away; it may come again.
export const phonesRememberedMax = 1000 // Allowed phones kept on disk; the oldest would otherwise be forgotten unasked.
export const phoneLossMs = 30_000 // A phone that comes back within it continues its recording (DESIGN.md).
export const phoneStartMs = 5000 // How long a start waits for capture_started: cameras open in 1 to 2 s.
export const phonePingMs = 2000 // Round-trip time, and the sign of life of a phone that films nothing.
export const phoneAliveMs = 3000 // Heard within it, a phone is no ghost that one of the same name may replace.
export const phoneSameClockMs = 3000 // First pictures are late by less; two phones that were switched on within it look like one.
export const phoneTickMs = 100 // How late a phone's deadlines may be noticed.
export const phoneEarlyMs = 500 // Pictures wait this long for the capture_started that says how the phone is held.
export const phoneEarlyPicturesMax = 32 // And no more of them than a second at 30 a second.
export const phoneEarlyBytesMax = 8 * MiB // Nor more than two key frames of 4K: what is larger does not wait.
export const phoneDrainMs = 200 // Pictures that an encoder still had when it was stopped follow within it.
export const phoneDrainMsMax = 1000 // A phone that goes on after capture_stopped: what follows is another capture.
export const phoneIdentifyMs = 500 // An app says what it is at once; one that does not is called by its address.
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
export const publisherGraceMs = 30_000 // A phone that changes its access point is back within this (RELIABILITY.md C16).
export const audioOnlyAfterMs = 1000 // Sound alone for this long: the stream has no video that is about to come.

// --- Live
export const slabBytesMin = 32 * KiB // A hundred streams of low rate hold no more than they need.
export const slabMessages = 8 // Of the size of the one for which a slab begins: one write in eight is of two buffers.
export const slabBytes = 256 * KiB // Half a second of 4 Mb/s; large enough that one viewer's write is one buffer.
export const viewerWriteBytesMax = 512 * KiB // One write in flight: at 420 kb/s it is through before the stall limit.
export const viewerLagBytesMax = 2 * MiB // RELIABILITY.md E1.
export const viewerLagMsMax = 3000 // RELIABILITY.md E1.
export const viewerStallMs = 10_000 // RELIABILITY.md E1: one write that takes longer ends the viewer.
export const viewerEndMs = 5000 // Time for a viewer to take its last bytes before its socket is cut.
export const soundAheadMs = 250 // A stream's first sound behind its first picture: encoders interleave within a picture or two.
export const soundWaitMs = 40 // One picture of 25 a second: sound leaves with the picture that follows it.
export const mergeMsMax = 1000 // More delay than this is no live picture.
export const viewerWorkersMax = 16 // Processes that send to viewers: cores of a large PC.
export const viewerWorkerQueueBytesMax = 16 * MiB // Of one worker: 8 s of 4 streams of 4 Mb/s; one that takes nothing for so long is stuck.
export const viewerWorkerSilentTicksMax = 10 // A worker tells its figures every second: after ten looks without it is stuck.
export const viewerWorkerFiguresMs = 1000 // As often as a person looks at them.
export const viewerWorkerBackoffBaseMs = 200 // Full jitter between 0 and this at the first death: viewers that come again find it there.
export const viewerWorkerBackoffMaxMs = 30_000 // A worker that cannot start is no reason to be busy.
export const viewerWorkerStableMs = 10_000 // One that lived so long was well: its death is a first one.
export const viewerWorkerStopMs = 1000 // Time for viewers to read the end of their streams when the agent stops.
export const viewersMax = 5000 // Sockets of one process, below the usual 8192 descriptors.
export const keyFrameWaitMs = 10_000 // The longest key frame interval in common use.
export const flvTimeMsMax = 2 ** 31 - 60_000 // Players read FLV times as signed 32 bits; viewers leave a minute before.

export const audioChildrenMax = 128 // FFmpeg children that make AAC of a stream's sound: 0.7 % of a core and 11 MB each.
export const audioLingerMs = 10_000 // One that nobody listens to any more: who reloads a page finds it running.
export const audioChildBackoffBaseMs = 500 // Full jitter between 0 and this at the first failure: viewers hear silence meanwhile.
export const audioChildBackoffMaxMs = 30_000 // One that always fails costs a start of 60 ms in half a minute.
export const audioChildStableMs = 10_000 // One that ran so long was good: the next failure is a first one.
export const audioChildStallMs = 5000 // Sound that went in so long ago and did not come out: it stands still.
export const audioChildBacklogBytesMax = 256 * KiB // Waits for a child: a whole GOP cache of G.711, 30 s.
export const audioKeptFramesMax = 2048 // Of the newest GOP, for who joins: 30 s (the GOP cache) of 64 frames a second.

// --- RTMP
export const rtmpMessageBytesMax = 10 * MiB // RELIABILITY.md C4: of one message, and of all unfinished ones of a connection.
export const rtmpPartialMessagesMax = 8 // Unfinished at once (RELIABILITY.md C4): encoders interleave picture, sound and data.
export const rtmpChunkStreamsMax = 64 // Remembered: encoders use up to ten; the format allows 65,597.
export const rtmpChunkBytesMin = 128 // The format's default. Smaller chunks are all header: a flood of work for us (RELIABILITY.md C3).
export const rtmpChunkBytesSent = 65_536 // A picture of 4 Mb/s in one chunk: players copy once.
export const rtmpFirstDeltaMsMax = 1000 // A longer step between two messages of one kind was not meant as a step.
export const rtmpCommandBytesMax = 64 * KiB // connect with all its capabilities is below 4 KiB.
export const rtmpTextCharsMax = 2048 // Address, stream name with its query: as a URL in browsers.
export const rtmpSetupMs = 10_000 // RELIABILITY.md C5: from accept to the end of the handshake, and as long to publish or play.
export const rtmpSilenceMs = 30_000 // A publisher that says nothing for so long has lost its network.
export const rtmpPingMs = 30_000 // To viewers: routers forget a connection over which nothing comes back.
export const rtmpWindowBytes = 2_500_000 // Bytes between two acknowledgements: five seconds of 4 Mb/s.
export const rtmpControlBytesMax = 64 * KiB // Answers that a peer has not read: one that only asks is closed.
export const rtmpMessagesPerSecond = 20_000 // 16 MiB of a backlog comes in one second as 1000 messages.
export const rtmpConnectionsMax = 5000 // Viewers and publishers together, below the usual 8192 descriptors.
export const rtmpConfigBytesMax = 64 * KiB // A codec configuration: its length fields have 16 bits, real ones are below 1 KiB.
export const flvTrackSkewMs = 5000 // How far behind the other a track of one source may begin: writers of files buffer seconds.
export const flvTracksMax = 16 // Of one Enhanced RTMP message: OBS sends up to six renditions.

// --- Cameras
export const cameraUriCharsMax = 2048 // As a URL in browsers.
export const cameraRedirectsMax = 3 // RELIABILITY.md C13.
export const cameraHttpHeadMs = 10_000 // To the head of an answer: cameras wake from sleep in some seconds.
export const cameraSilenceMs = 10_000 // An HTTP source that gives no byte for so long has lost its network.
export const cameraConvertersMax = 8 // FFmpeg children for sources that are neither FLV nor MPEG-TS.
export const cameraFileBytesMax = 2048 * MiB // An MP4 with its description at the end, kept while it is played: an hour of 4 Mb/s.
export const cameraLeadMs = 9000 // A live server's last GOP comes at once; beyond it a source is read as fast as it plays (below clockJumpMs).
export const cameraFileLeadMs = 200 // Of a source that has an end: it is played as if it were filmed now.
export const cameraHeadBytesMax = 1 * MiB // Looked at to see how an MP4 is ordered.
export const tsUnitBytesMax = 12 * MiB // One picture: as in an FLV tag.
export const tsResyncBytesMax = 256 * KiB // Without a packet in so many bytes it is no MPEG-TS.
export const tsUndescribedPacketsMax = 50_000 // 9 MB without a table: they come every 100 ms.
export const tsStreamsMax = 32 // Of one programme: broadcasts have below ten.
export const snapshotsAtOnceMax = 2 // FFmpeg children: a key frame of 4K takes 300 ms of a core.
export const snapshotQueueMax = 64 // Cameras that wait for one of them: a wall of stills.
export const snapshotsKept = 64 // Of the last second each, 200 kB of 1080p.
export const snapshotBytesMax = 8 * MiB // A JPEG of 8K is 6 MB.
export const snapshotTimeoutMs = 10_000 // Camera and FFmpeg each: a person waits no longer.

// --- RTSP
export const rtspHeaderBytesMax = 16 * KiB // Of one message, its first line included (RELIABILITY.md C13); real ones are below 2 KiB.
export const rtspBodyBytesMax = 64 * KiB // Of one SDP (RELIABILITY.md C13); real ones are below 4 KiB.
export const rtspLineBytesMax = 4096 // A first line: an address of 2048 characters and what stands around it.
export const rtspResyncsMax = 16 // A connection that lost its framing so often is opened anew (RELIABILITY.md C6).
export const rtspSkippedBytesMax = 256 * KiB // Looked through for the next message: four of the largest frames.
export const rtspRequestsMax = 24 // Before PLAY: OPTIONS, DESCRIBE, a SETUP for each of eight tracks, each with a 401.
export const rtspMediasMax = 16 // Of one SDP: cameras have three.
export const rtspRedirectsMax = 3 // RELIABILITY.md C13.
export const rtspAnswerMs = 10_000 // A camera that wakes its encoder at DESCRIBE takes 3 to 5 s.
export const rtspSessionMsDefault = 60_000 // RFC 2326, 12.37, when the answer names no timeout.
export const rtspKeepAliveMsMin = 1000 // A server that says timeout=0 must not be flooded.
export const rtspKeepAliveMsMax = 30_000 // Routers forget a connection that says nothing for longer.
export const rtspReadBytes = 256 * KiB // A key frame of 4 Mb/s in one read.
export const rtspTeardownMs = 500 // For the last request to leave; a stop of the agent waits for it.
export const rtspReportMs = 5000 // RFC 3550, 6.2: receiver reports, by which servers over UDP know that we are there.
export const rtpReorderPackets = 64 // Over UDP: 60 ms of 8 Mb/s; what is later than that is lost.
export const rtpReorderMs = 100 // Over UDP: a gap is waited for no longer, or a slow stream would stand still.
export const rtpSequenceJumpMax = 3000 // A larger step is another numbering (RFC 3550, appendix A.1: MAX_DROPOUT).
export const rtpMisorderMax = 100 // Over UDP: what is numbered further back is another numbering, not late (RFC 3550, appendix A.1: MAX_MISORDER).
export const rtpPictureBytesMax = 12 * MiB // A 4K key frame at 100 Mb/s.
export const rtpSlabBytes = 256 * KiB // Half a second of 4 Mb/s: two allocations a second, and little is held for a picture's sake.
export const rtpSoundBytesMax = 64 * KiB // An AAC frame is below 8 KiB; a second of G.711 is 8 kB.
export const rtpSoundFramesMax = 128 // In one packet: the smallest frames of an hbr packet of 64 KiB.
export const rtpSyncStepMs = 40 // Sender reports move sound only this far off: cheap cameras stamp them within ±20 ms.

// --- Sources that are pulled
export const sourceBackoffBaseMs = 1000 // Full jitter between 0 and this at the first failure.
export const sourceBackoffMaxMs = 30_000 // A camera that is back is found within half a minute.
export const sourceStableMs = 10_000 // Media for so long: the next failure is a first one.
export const sourceAuthRetryMs = 60_000 // A wrong password: cameras lock an account after five tries in some minutes.
export const sourceKeyFrameMs = 15_000 // From the first packet to the first key frame: GOPs of 10 s are in use.
export const sourceSilenceMs = 10_000 // No media for so long while the connection lives: opened anew (RELIABILITY.md C7).
export const requiredPollMs = 50 // How often it is looked whether the cameras that a recording requires are there.
export const sourceLingerMs = 10_000 // A page that is reloaded finds its camera still connected.
export const sourceUrlCharsMax = 2048 // As in browsers.

// --- gRPC
export const grpcMessageBytesMax = 10 * MiB // CONTRACT.md, gRPC.
export const grpcConnectionsMax = 200 // A client has one for all its calls.
export const grpcCallsPerConnectionMax = 200 // 50 cameras with two tracks each, and as many short calls.
export const grpcStreamsMax = 1000 // Open streams of all clients: as many as there may be streams.
export const grpcHealthWatchesMax = 1000 // Each costs a look twice a second.
export const grpcHealthPollMs = 500 // As often as it is looked whether a camera still sends.
export const grpcSetupMs = 10_000 // RELIABILITY.md C5: from accept until HTTP/2 has begun.
export const grpcKeepAliveMs = 20_000 // A client that has lost its network is noticed within half a minute.
export const grpcKeepAliveTimeoutMs = 10_000 // Twice the pauses of a bad Wi-Fi.
export const grpcIdleMs = 600_000 // A connection without a call; clients make another by themselves.
export const grpcCloseMs = 500 // A stop of the agent waits this long for clients to read the end of their calls.

// --- Recordings
export const recordingsOpenMax = 1000 // As many as there may be streams.
export const recordingStreamsMax = 64 // The contract's bound on one claim.
export const recordingGapsMax = 10_000 // Of one stream of one recording; more are joined with their neighbours.
export const recordingSlackMs = 2000 // A session's ends snap to a segment's ends this near: arrival jitter, not pictures.
export const recordingSessionSlackMs = 60_000 // A session's segments are looked for so far around its arrival times, their numbers say which are its own: half a round trip behind a phone's queue of 33 s moves them.
export const recordingCloseMs = 8000 // A close waits this long for the last segment, then states what is there; a stop of the agent has 10 s.
export const recordingPrerollMs = 15_000 // Before an armed recording begins: a camera that is fetched from connects, and sends a key frame.
export const recordingLookMs = 10_000 // A timed recording looks at the wall clock this often: it may be set, and a machine that slept does not count the time.
export const recordingSaveRetryMs = 5000 // A closed recording that the disk refused is written again this often.

// --- Ring
export const ringQueueBytesMax = 64 * MiB // 8 s of 50 streams at 1.3 Mb/s while the disk stands still; then GOPs are dropped.
export const syncEveryMs = 500 // A 1 s timer cannot promise a tail of 1 s (RELIABILITY.md, durability).
export const syncEveryBytes = 4 * MiB // Bounds the dirty pages of one stream.
export const segmentBytesMax = 16 * MiB // One attempt of an upload at 2 Mb/s takes a minute.
export const segmentMsMax = 120_000 // No key frame for this long: cut anywhere.
export const claimEndMs = 3000 // A claim's end waits this long for a key frame before it cuts in mid-GOP.
export const segmentBytesAnywhereMax = 64 * MiB // No key frame for so many bytes: cut anywhere; one body of an upload.
export const ringUnitCostBytes = 256 // Of one unit beside its bytes, in the queue: a flood of tiny units is bounded too.
export const ringChunkBytes = 256 * KiB // Shared with the storage worker: a key frame of 4 Mb/s fits, larger ones get memory of their own.
export const ringBatchMs = 5 // Batches are so far apart: a unit waits for its turn's end with few streams, this long with fifty.
export const ringSpareChunksMax = 16 // Kept to be used again: 4 MiB, a third of a second of 50 phones at 2 Mb/s.
export const ringProbeMs = 1000 // A disk that refused is asked again: recording resumes within 5 s (RELIABILITY.md A8).
export const ringReserveBytes = 256 * MiB // Left free for the index, the claims and others on this disk …
export const ringReserveShare = 0.02 // … but on a small volume only this part of it.
export const ringBallastBytes = 8 * MiB // Kept by the ring for a start on a full disk: agent.db opens, and fifty segments are sealed …
export const ringBallastShare = 0.01 // … but on a small volume only this part of it.
export const ringBlockBytes = 4096 // A sector of today's disks: what cannot be read is lost in such pieces.
export const ringReserveInodes = 64 // Manifests and claims of a minute of 16 streams.
export const ringAlarmMs = 300_000 // An alarm about recordings that were overwritten stands for this long.
export const ringReadBytesMax = 4 * MiB // One read for an upload: the worker answers between two writes.
export const manifestGapsMax = 1000 // As the manifest's schema; further ones are joined.
export const ringGapsMax = 10_000 // Gaps kept per stream in the index: one a minute for a week.
export const audioWaitUnitsMax = 256 // Sound that waits for the first key frame: 5 s of AAC.

// --- Upload
export const uploadBatchMax = 50 // Segments a question: 30 kB of JSON (CONTRACT.md, Cloud API).
export const uploadsAtOnceMax = 4 // Fills a line of 100 ms and 100 Mb/s; more only takes turns.
export const uploadBackoffBaseMs = 1000 // Full jitter between 0 and this at the first failure.
export const uploadBackoffMaxMs = 300_000 // Five minutes: a region's agents come back spread over it (RELIABILITY.md B12).
export const uploadAuthRetryMs = 60_000 // A revoked device asks once a minute at most (RELIABILITY.md B9).
export const uploadAbortsMax = 3 // After so many aborted attempts on one link the smallest goes first.
export const uploadRefusalsMax = 5 // A segment that the store refuses so often is set aside, so that others pass.
export const uploadDenialsMax = 3 // Fresh addresses that the store denied, one after another: no passing fault any more.
export const uploadIdleMs = 30_000 // The ring wakes the uploader; this is for a wake-up that was missed.
export const unmuxedWatchMax = 10_000 // Confirmed segments that are asked for again until they are MP4: 2 MB of memory.
export const unmuxedAfterStartMax = 2000 // What 100 cameras seal in the 20 minutes before a stop: 40 questions, once.
export const unmuxedAskMs = 960_000 // A minute after the 15 after which the cloud queues again: one question for most segments.
export const heartbeatMs = 60_000 // An agent is shown offline after three of them.
export const unfinishedClaimsMax = 100 // Told with each heartbeat, 6 kB for a few streams each; with more of them nothing is deleted.
export const cloudConnectMs = 10_000 // A TCP handshake with two lost SYNs takes 3 s, TLS over a satellite 2 s.
export const cloudIdleMs = 30_000 // A black-holed connection is noticed within it (RELIABILITY.md B3).
export const cloudCallMs = 60_000 // A whole call of the API, however slowly its answer drips.
export const cloudReplyBytesMax = 4 * MiB // 50 segments with four signed URLs of 1.5 kB each are 300 kB.

// --- The HTTP door
export const connectionsMax = 8000 // Viewers, phones and pages together, where there are descriptors for them.
export const descriptorsKept = 128 // Of a process's file descriptors, for what is recorded: four of each of 25 streams, the index, uploads.
export const headerBytesMax = 16 * KiB // Cookies and a long query fit; a flood of headers does not.
export const doorCloseMs = 1000 // Node waits for ever for sockets that were handed to a process which has died since.
export const headersMs = 10_000 // RELIABILITY.md C5: a request line at one byte a second ends here.
export const bodyMs = 10_000 // 1 MiB of JSON at 1 Mb/s.
export const forwardsAtOnceMax = 256 // Requests to the cloud of this machine, of those we know; as many of all others together.
export const forwardBodyBytesMin = 64 * KiB // Of a body within `forwardIdleMs`: slower than 1 KiB a second is no upload.
export const forwardIdleMs = 60_000 // A forwarded transfer that moves no byte for this long is dead.
export const certificateLookMs = 3_600_000 // A certificate that was renewed on the disk, or an address that is new, is shown within the hour.
export const keepAliveMs = 10_000 // Idle connections of a page that went away.
export const socketIdleMs = 15_000 // RELIABILITY.md C7; we ping at a third of it, and OkHttp answers by itself.
export const socketMessagesPerSecond = 20_000 // 16 MiB of a phone's queue comes in one second as 1000 messages.
export const socketSendBytesMax = 1 * MiB // Control messages are 200 bytes: a phone this far behind reads nothing.
export const loginTriesPerMinute = 10 // By address (RELIABILITY.md H8).
export const loginAddressesMax = 1000 // Remembered at once, oldest forgotten.
export const loginCodeMs = 600_000 // The link that `up` prints.
export const loginCodesMax = 16 // Unused links at once.
export const sessionMs = 30 * 86_400_000 // A cookie of the page.
export const linkDefaultS = 3600 // A link to a stream that was made for someone who watches now.
export const linkMaxS = 366 * 86_400 // As shares: one for ever is a hole; an encoder on a mast is given another each year.
export const tokensMax = 1000 // A person names each of them.
export const profileSecondsMax = 60 // A profile of a minute is 10 MB.

// --- Forwards
export const forwardsPerStreamMax = 8 // Each sends the whole stream once more over the uplink.
export const forwardBackoffBaseMs = 1000 // Full jitter between 0 and this at the first failure.
export const forwardBackoffMaxMs = 30_000 // A server that is back is found within half a minute.
export const forwardStableMs = 10_000 // A connection that lasted so long was good: the next failure is a first one.
export const forwardEndMs = 1000 // Time for a server to take the last bytes; a stop of the agent waits for it.

// --- Hooks
export const hookUrlsMax = 8 // Addresses that are told: a back end, a log, a test.
export const hookQueueMax = 1000 // Messages of 600 bytes that wait for one address; then the oldest are dropped.
export const hookAttemptsMax = 5 // A back end that is started anew takes half a minute.
export const hookBackoffBaseMs = 1000 // Full jitter between 0 and this before the second attempt.
export const hookBackoffMaxMs = 30_000 // Longer waits would only fill the queue.
export const hookTimeoutMs = 10_000 // One that answers later does its work before it answers.
export const hookCloseMs = 2000 // A stop of the agent waits this long for what was not told yet.

// --- Figures
export const labelSetsMax = 200 // Per metric; the rest is counted as `other` (RELIABILITY.md H9).
export const queueBodyBytesMax = 256 * KiB // SQS's limit.
export const messageDelaySMax = 900 // SQS's limit.
export const receiveCountMax = 10 // Throttling counts here too; attempts of a job are counted in its row.
export const deadLetterDaysMax = 14 // As the AWS queues keep them.
export const objectKeyBytesMax = 512 // S3 allows 1024; with a data directory before it a path stays below 4096.
export const listPageKeysMax = 1000 // S3's page.
export const presignPutSMax = 900 // RELIABILITY.md H7.
export const presignGetSMax = 300 // DESIGN.md, Cloud: a fresh URL for each request.
export const jobLeaseMs = 60_000 // DESIGN.md, Cloud: how long a killed run keeps its job.
export const jobHeartbeatMs = 20_000 // Two may fail before the lease ends.
export const jobAttemptsMax = 3 // DESIGN.md, Cloud.
export const jobProgressEveryMs = 1000 // A write to the catalogue each; people look once a second.
export const batchBytes = 1 * MiB // One read or write of an object: a system call for each 64 KiB costs more than the copy.
export const batchBuffersKept = 8 // An export with sound reads two tracks and writes one file, two buffers each.
export const bodySyncEveryBytes = 8 * MiB // A file of 600 MB is on the disk when its last byte is written, not 300 ms later.
export const epochLeadMs = 60_000 // Media time 0 lies this long before an epoch's number: its first pictures come up to a GOP cache (30 s) earlier.
export const lastPictureMsMax = 1000 // The slowest cameras send a picture a second; what lasts longer is a gap.
export const archiveLowBytes = 1024 * MiB // A minute of 16 cameras at 8 Mb/s: time to do something before the disk is full.
export const deadLettersListMax = 200 // Listed at once; who has more looks into the log.
export const indexBytesMax = 16 * MiB // 48 bytes a record: 349,000 units, 120 s of 60 pictures and sound are 12,000.
export const damagedRecordsMax = 10_000 // Their numbers are kept in the segment's row: 70 kB.
export const segmentGapsMax = 1000 // As in the manifest.
export const rawKeepMs = 24 * 3_600_000 // DESIGN.md, Cloud: raw is deleted this long after its MP4 was verified.
export const exportPartMs = 4 * 3_600_000 // DESIGN.md, Cloud.
export const exportPatienceMs = 24 * 3_600_000 // DESIGN.md, Cloud: then with the gaps stated.
export const exportFilesMax = 500 // 300 bytes each in the recording's row; a camera that changes its codec 500 times is broken.
export const recordingBytesMax = 32 * MiB // 64 streams with 5,000 gaps each; read whole.
export const deleteGraceMs = 10 * 60_000 // A deleted recording's bytes go after it: downloads under way end well.
export const deleteAgainMs = 24 * 3_600_000 // Segments that come after their recording was deleted are looked for this often …
export const deletePatienceMs = 30 * 24 * 3_600_000 // … and this long: an agent may be offline for weeks.
export const deleteHeardMs = 7 * 24 * 3_600_000 // An agent that is silent for so long has no open recording any more.
export const tombstoneS = 30 * 86_400 // That a segment was deleted is remembered while its agent may ask for it.
export const exportKeepMs = 24 * 3_600_000 // The files of an older version, after the newer one is there.
export const thumbnailEveryMs = 600_000 // DESIGN.md, Cloud: one in ten minutes of a stream.
export const thumbnailInputBytesMax = 16 * MiB // The first seconds, also of 4K; a segment is not much larger.
export const thumbnailBytesMax = 1 * MiB // 640 pixels wide are 60 kB.
export const thumbnailTimeoutMs = 30_000 // 60 s of dark 1080p decode in 10 s.
export const soundSilenceSamples = 65_536 // Written at once where sound is missing: 8 s of a telephone's rate.
export const ffmpegAllocBytesMax = 512 * MiB // One allocation; a picture of 8K has 50 MB.
export const ffmpegMemoryBytesMax = 4096 * MiB // Address space, not memory in use: libraries map much.
export const ffmpegComplaintMax = 2000 // Characters of stderr that an error carries into a log line.
export const ffmpegStderrBytesMax = 64 * KiB // RELIABILITY.md, FFmpeg.
export const uploadKeepMs = 24 * 3_600_000 // CONTRACT.md, Cloud API: uploads live 24 h.
export const messageVisibilityS = 90 // Renewed every 30 s while its job runs; a killed worker's message comes back after it.
export const jobTimeoutMs = 3_600_000 // Eight hours of 50 Mb/s are 180 GB; at 100 MB/s half an hour.
export const workerBackoffSMax = 60 // 1, 2, 4 … s: ten receives are five minutes.
export const workerRetryMs = 1000 // Between looks into a queue that cannot be read.
export const workerIdleMs = 60_000 // It is woken by sends; this is for a wall clock that was set.
export const expireEveryMs = 600_000 // What has been kept for a day can wait ten minutes more.
export const recordingRunsMax = 10_000 // 21 bytes each: fits a row beside the gaps.
export const recordingRowGapsMax = 1000 // 70 bytes each; the recording's own file holds them all.

export const retentionParallel = 16 // Each deletes a handful of objects of 20 ms: 3000 segments take half a minute.
export const rebuildParallel = 8 // Each reads an index of up to a few MB.
