import type { Catalogue, Query } from '../../cloud/ports.ts'

type Page = Awaited<ReturnType<Catalogue['query']>>

/** A catalogue whose answers to queries someone sees before they are given. */
export function watchedCatalogue(
  catalogue: Catalogue,
  see: (query: Query, page: Page) => void | Promise<void>,
): Catalogue {
  return {
    get: (pk, sk) => catalogue.get(pk, sk),
    put: (row, condition) => catalogue.put(row, condition),
    putAll: (writes) => catalogue.putAll(writes),
    delete: (pk, sk, condition) => catalogue.delete(pk, sk, condition),
    async query(query) {
      const page = await catalogue.query(query)
      await see(query, page)
      return page
    },
  }
}
