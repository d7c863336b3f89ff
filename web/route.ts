import { computed, signal } from '@preact/signals'

export const sections = ['live', 'phones', 'vehicles', 'archive', 'beatsync', 'tasks', 'status'] as const
export type Section = (typeof sections)[number]

const hash = signal(location.hash)
addEventListener('hashchange', () => {
  hash.value = location.hash
})

type Route = { section: Section; item: string | undefined; part: string | undefined }

/** `#/archive/REC` is section `archive` with item `REC`; a third word is a part of it. Anything unknown is the live wall. */
export const route = computed((): Route => {
  const [, section, item, part] = hash.value.split('/')
  const known = sections.find((name) => name === section)
  return { section: known ?? 'live', item: known && item ? decodeURIComponent(item) : undefined, part }
})

export function hrefOf(section: Section, item?: string, part?: string): string {
  const words = [section, item, part].filter((word) => word !== undefined)
  return `#/${words.map(encodeURIComponent).join('/')}`
}

export function goTo(section: Section, item?: string, part?: string): void {
  location.hash = hrefOf(section, item, part)
}
