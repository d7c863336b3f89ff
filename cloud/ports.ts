/** What a job needs of the world. `cloud/local` and `cloud/aws` provide it; one contract test runs on both. */

export type ObjectHead = {
  sizeBytes: number
  /** SHA-256 that the store computed or checked, hex; undefined when it has none, or none was asked for. */
  sha256: string | undefined
  lastModifiedMs: number
}

export type PutOptions = {
  sizeBytes: number
  contentType: string
  sha256?: string
  /** Nobody will ask for its SHA-256: what lies in it has checksums of its own. */
  unsummed?: boolean
  /** Kept for long and seldom asked for: may lie where storage is cheap and reading costs (S3: STANDARD_IA). */
  rarelyRead?: boolean
  /** `AlreadyExists` if the key is taken (S3: If-None-Match: *). */
  ifAbsent?: boolean
}

export type UploadOptions = {
  key: string
  sizeBytes: number
  /** Without it (a page that cannot compute one) the length alone is signed. */
  sha256?: string
  contentType: string
  expiresS: number
}

export type ByteRange = {
  start: number
  /** Exclusive; to the end when absent. */
  end?: number
  /** The reader is done with each chunk before it asks for the next: the store may use the memory again. */
  lent?: boolean
}

export type ObjectStore = {
  /**
   * All or nothing: a body that ends early or does not match leaves no object. A chunk of the body may change
   * once the next one has been asked for.
   */
  put(key: string, body: Uint8Array | AsyncIterable<Uint8Array>, options: PutOptions): Promise<void>
  /** `NotFound` if there is none. */
  get(key: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>
  /** `sizeOnly`: the SHA-256 is not needed, and not computed for an object that was stored without. */
  head(key: string, options?: { sizeOnly?: boolean }): Promise<ObjectHead | undefined>
  delete(key: string): Promise<void>
  list(
    prefix: string,
    cursor?: string,
  ): Promise<{ keys: { key: string; sizeBytes: number; lastModifiedMs: number }[]; cursor?: string }>
  /** A URL for exactly this body: length, SHA-256 and If-None-Match are signed headers that the client must send. */
  presignPut(options: UploadOptions): Promise<{
    url: string
    headers: Record<string, string>
    expiresAt: number
  }>
  /**
   * The same for a form of a page: `fields` first, then `file`. S3's forms know no If-None-Match: a key that nobody
   * can guess, and that nobody else writes.
   */
  presignPost(options: UploadOptions): Promise<{
    url: string
    fields: Record<string, string>
    expiresAt: number
  }>
  /** `url` may be path-absolute (local store): the API that hands it out is reached at the same origin. */
  presignGet(options: {
    key: string
    expiresS: number
    filename?: string
    contentType?: string
  }): Promise<string>
}

/** A row of the single table. `pk`, `sk` and the index keys are strings; the rest is JSON of at most 400 KB. */
export type Row = {
  pk: string
  sk: string
  /** Set by the catalogue, one more at each write. */
  version?: number
  gsi1pk?: string
  gsi1sk?: string
  /** Sparse: unfinished and failed work. */
  gsi2pk?: string
  gsi2sk?: string
  /** Unix seconds; a row past it is not returned. */
  ttl?: number
  [attribute: string]: unknown
}

/** `absent`: only if there is no such row; a number: only if that is its version; `any`: always. */
export type Condition = 'absent' | 'any' | number

export type Query = {
  index?: 'gsi1' | 'gsi2'
  pk: string
  /** Sort key bounds by bytes, both inclusive. */
  from?: string
  to?: string
  prefix?: string
  descending?: boolean
  limit?: number
  cursor?: string
}

export type Catalogue = {
  get(pk: string, sk: string): Promise<Row | undefined>
  /** `Aborted` if the condition does not hold. Returns the new version. */
  put(row: Row, condition: Condition): Promise<number>
  /** All or none, at most 100 rows. `Aborted` if one condition does not hold. */
  putAll(writes: { row: Row; condition: Condition }[]): Promise<void>
  delete(pk: string, sk: string, condition?: Condition): Promise<void>
  /** At most 1 MB a page, as DynamoDB does: go on while there is a cursor. */
  query(query: Query): Promise<{ rows: Row[]; cursor?: string }>
}

export const queueNames = ['mux', 'thumbnail', 'export', 'beatsync'] as const
export type QueueName = (typeof queueNames)[number]

export type Received = { id: string; receipt: string; body: string; receiveCount: number }

/** At least once, any order. A message received `maxReceiveCount` times goes to the queue's dead letters. */
export type Queue = {
  send(queue: QueueName, body: string, options?: { delayS?: number }): Promise<void>
  receive(queue: QueueName, options: { max: number; visibilityS: number }): Promise<Received[]>
  extend(queue: QueueName, receipt: string, visibilityS: number): Promise<void>
  remove(queue: QueueName, receipt: string): Promise<void>
  /** Moves a message to the dead letters now: its work has failed for ever. */
  bury(queue: QueueName, receipt: string, body: string): Promise<void>
  deadLetters(
    queue: QueueName,
    cursor?: string,
  ): Promise<{ messages: { id: string; body: string }[]; cursor?: string }>
  /** Moves one dead letter back to its queue. */
  redrive(queue: QueueName, id: string): Promise<void>
  depth(queue: QueueName): Promise<{ waiting: number; inFlight: number; dead: number }>
}
