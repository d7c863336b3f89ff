import { AppError } from '../../shared/error.ts'

/** A sentence for a person in both languages. */
export type Words = { en: string; zh: string }

export type Language = 'en' | 'zh'

/** From LC_ALL, LC_MESSAGES or LANG, as POSIX orders them. */
export function language(env: NodeJS.ProcessEnv = process.env): Language {
  const locale = env.LC_ALL || env.LC_MESSAGES || env.LANG || ''
  return locale.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

export function inLanguage(words: Words): string {
  return words[language()]
}

/** What goes to stderr when a command fails: one sentence with what to do. */
export function errorSentence(error: AppError): string {
  return language() === 'zh' && error.messageZh ? error.messageZh : error.message
}

/** An error in both languages from one place. */
export function failure(kind: AppError['kind'], words: Words, options: ErrorOptions = {}): AppError {
  return new AppError(kind, words.en, { ...options, zh: words.zh })
}
