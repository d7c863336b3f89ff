import type { JobPorts } from '../../cloud/jobs/job-ports.ts'
import type { QueueName, Row } from '../../cloud/ports.ts'

/** What is paid by the piece: requests of the store by their price, units of the table, messages. */
export type Counts = {
  puts: number
  gets: number
  readUnits: number
  writeUnits: number
  messages: Record<QueueName, number>
}

const sizeOf = (row: Row | undefined) => Buffer.byteLength(JSON.stringify(row ?? {}))
const kilobytes = (bytes: number, each: number) => Math.max(1, Math.ceil(bytes / (each * 1024)))

/** A row is written once into the table and once into each index that it is in. */
function writeUnits(row: Row): number {
  const indexes = [row.gsi1pk, row.gsi2pk].filter((key) => key !== undefined).length
  return kilobytes(sizeOf(row), 1) * (1 + indexes)
}

/** Ports that count; deletions of objects are free. A consistent read of 4 kB is one unit, one of an index half. */
export function countingPorts(ports: JobPorts): { ports: JobPorts; counts: Counts } {
  const messages = { mux: 0, thumbnail: 0, export: 0, beatsync: 0 }
  const counts: Counts = { puts: 0, gets: 0, readUnits: 0, writeUnits: 0, messages }
  const { store, catalogue, queue, clock } = ports
  const counted: JobPorts = {
    clock,
    store: Object.assign(Object.create(store) as typeof store, {
      put: (...args: Parameters<typeof store.put>) => {
        counts.puts += 1
        return store.put(...args)
      },
      list: (...args: Parameters<typeof store.list>) => {
        counts.puts += 1 // Priced as a PUT.
        return store.list(...args)
      },
      get: (...args: Parameters<typeof store.get>) => {
        counts.gets += 1
        return store.get(...args)
      },
      head: (...args: Parameters<typeof store.head>) => {
        counts.gets += 1
        return store.head(...args)
      },
      delete: (key: string) => store.delete(key),
      presignPut: (options: Parameters<typeof store.presignPut>[0]) => store.presignPut(options),
      presignGet: (options: Parameters<typeof store.presignGet>[0]) => store.presignGet(options),
    }),
    catalogue: {
      async get(pk, sk) {
        const row = await catalogue.get(pk, sk)
        counts.readUnits += kilobytes(sizeOf(row), 4)
        return row
      },
      async put(row, condition) {
        counts.writeUnits += writeUnits(row)
        return await catalogue.put(row, condition)
      },
      async putAll(writes) {
        for (const { row } of writes) counts.writeUnits += 2 * writeUnits(row) // A transaction costs twice.
        await catalogue.putAll(writes)
      },
      async delete(pk, sk, condition) {
        counts.writeUnits += 1
        await catalogue.delete(pk, sk, condition)
      },
      async query(query) {
        const page = await catalogue.query(query)
        const bytes = page.rows.reduce((sum, row) => sum + sizeOf(row), 0)
        counts.readUnits += kilobytes(bytes, 4) * (query.index === undefined ? 1 : 0.5)
        return page
      },
    },
    queue: Object.assign(Object.create(queue) as typeof queue, {
      send: (...args: Parameters<typeof queue.send>) => {
        counts.messages[args[0]] += 1
        return queue.send(...args)
      },
    }),
  }
  return { ports: counted, counts }
}
