import { computed, effect, signal } from '@preact/signals'
import { readPreference, writePreference } from '../preferences.ts'
import { en, type Texts } from './en.ts'
import { zh } from './zh.ts'

export type Language = 'en' | 'zh'

const storageKey = 'edgereel-language'

function firstLanguage(): Language {
  const kept = readPreference(storageKey)
  if (kept === 'en' || kept === 'zh') return kept
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

export const language = signal<Language>(firstLanguage())

export function switchLanguage(): void {
  language.value = language.value === 'en' ? 'zh' : 'en'
  writePreference(storageKey, language.value)
}

/** The texts of the chosen language; a component that reads them is drawn again when it changes. */
export const text = computed((): Texts => (language.value === 'zh' ? zh : en))

/** Screen readers and the browser's fonts follow `lang`. */
export function applyLanguage(): void {
  effect(() => {
    document.documentElement.lang = language.value === 'zh' ? 'zh-CN' : 'en'
  })
}
