/** US dollars, us-east-1, as AWS published them in 2025; free tiers left out. Other regions cost up to a half more. */
export const pricesOf = '2025, us-east-1'

export const prices = {
  storageGbMonth: 0.023, // S3 Standard, first 50 TB; a GB is 2^30 bytes.
  rarelyReadGbMonth: 0.0125, // S3 Standard-Infrequent Access: at least 30 days, reading $0.01 a GB.
  put: 0.005 / 1000, // Also COPY, POST and LIST.
  get: 0.0004 / 1000, // Also HEAD.
  gbSecond: { arm64: 0.0000133334, x86_64: 0.0000166667 }, // Lambda.
  run: 0.2 / 1e6, // Lambda, a request.
  apiCall: 1 / 1e6, // HTTP API.
  queueCall: 0.4 / 1e6, // SQS standard.
  writeUnit: 0.625 / 1e6, // DynamoDB on demand.
  readUnit: 0.125 / 1e6,
  tableGbMonth: 0.25 + 0.2, // Rows, and their point-in-time recovery.
  logGb: 0.5, // CloudWatch Logs, ingestion.
  alarmMonth: 0.1,
  egressGb: 0.09, // To the internet, after 100 GB a month that are free.
} as const
