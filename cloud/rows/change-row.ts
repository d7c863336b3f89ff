import { AppError } from '../../shared/error.ts'
import type { Catalogue, Row } from '../ports.ts'

const triesMax = 10 // Each lost race means that another writer got on; ten in a row means that something loops.

/**
 * Compare and set: reads a row, lets `change` make the new one (undefined: leave it), writes it if nobody
 * wrote in between, else starts again. Returns the row as it is now (with its version).
 */
export async function changeRow(
  catalogue: Catalogue,
  key: { pk: string; sk: string },
  change: (before: Row | undefined) => Row | undefined,
): Promise<Row | undefined> {
  for (let tries = 1; ; tries += 1) {
    const before = await catalogue.get(key.pk, key.sk)
    const after = change(before)
    if (!after) return before
    try {
      const version = await catalogue.put(after, before?.version ?? 'absent')
      return { ...after, version }
    } catch (error) {
      if (AppError.from(error).kind !== 'Aborted' || tries >= triesMax) throw error
    }
  }
}
