import { computed, signal } from '@preact/signals'

export const sections = ['live', 'phones', 'archive', 'beatsync', 'tasks', 'status'] as const
export type Section = (typeof sections)[number]

const hash = signal(location.hash)
addEventListener('hashchange', () => {
  hash.value = location.hash
})

/** `#/archive/REC` is section `archive` with item `REC`. Anything unknown is the live wall. */
export const route = computed((): { section: Section; item: string | undefined } => {
  const [, section, item] = hash.value.split('/')
  const known = sections.find((name) => name === section)
  return { section: known ?? 'live', item: known && item ? decodeURIComponent(item) : undefined }
})

export function hrefOf(section: Section, item?: string): string {
  return item === undefined ? `#/${section}` : `#/${section}/${encodeURIComponent(item)}`
}

export function goTo(section: Section, item?: string): void {
  location.hash = hrefOf(section, item)
}
