import { awsAttemptsMax, awsConnectMs, awsIdleMs, awsSocketsMax } from '../../shared/cloud-limits.ts'

// Adaptive: full jitter between tries, and once a service says SlowDown the client sends less of its own
// accord, as AIMD does. A body that can be sent again is a buffer: only those are handed to the SDK.
export const clientSettings = {
  retryMode: 'adaptive',
  maxAttempts: awsAttemptsMax,
  requestHandler: {
    connectionTimeout: awsConnectMs,
    socketTimeout: awsIdleMs,
    httpsAgent: { maxSockets: awsSocketsMax },
    httpAgent: { maxSockets: awsSocketsMax },
  },
} as const

export const s3Settings = {
  ...clientSettings,
  // Each put says its own checksum. The SDK's CRC would be that of an empty body in a presigned address.
  requestChecksumCalculation: 'WHEN_REQUIRED',
  responseChecksumValidation: 'WHEN_REQUIRED',
} as const
