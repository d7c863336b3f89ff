import type { Catalogue } from '../ports.ts'

/**
 * pk `REBUILD`, sk `META`: it is there from the first to the last step of `cloud rebuild`. Until then the catalogue may
 * know segments and not the recordings that want them, and nothing may be deleted for being wanted by none.
 */
const key = { pk: 'REBUILD', sk: 'META' }

export async function beginRebuild(catalogue: Catalogue): Promise<void> {
  await catalogue.put(key, 'any')
}

export async function endRebuild(catalogue: Catalogue): Promise<void> {
  await catalogue.delete(key.pk, key.sk)
}

export async function isRebuilding(catalogue: Catalogue): Promise<boolean> {
  return (await catalogue.get(key.pk, key.sk)) !== undefined
}
