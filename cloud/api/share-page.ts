import { createHash } from 'node:crypto'
import type { SharedRecording } from '../../shared/contract/api.ts'

type Words = typeof en

const en = {
  lang: 'en',
  waiting: 'The files are still being made; reload in a moment.',
  download: 'Download',
  gone: 'This link is not valid any more.',
  goneBody: 'It has expired or was revoked. Ask whoever gave it to you for a new one.',
}
const zh: Words = {
  lang: 'zh-CN',
  waiting: '文件正在生成，请稍后刷新。',
  download: '下载',
  gone: '此分享链接已失效。',
  goneBody: '链接已过期或被撤销。请向分享者索取新的链接。',
}

const style = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{max-width:60rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1{font-size:1.5rem;margin:0;overflow-wrap:anywhere}h2{font-size:1.1rem;margin:2rem 0 .5rem}
p{margin:.4rem 0}time,.hint{color:GrayText}
video{display:block;width:100%;max-height:80vh;background:#000;border-radius:.5rem}`

const policy = `default-src 'none'; media-src 'self' https:; img-src 'self' https:; frame-ancestors 'none'; style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? '')
}

/** English or Chinese, by `accept-language`. */
const wordsOf = (headers: Headers): Words => (/^\s*zh/i.test(headers.get('accept-language') ?? '') ? zh : en)

/** Whether a person asks, with a browser. */
export const wantsPage = (headers: Headers): boolean => headers.get('accept')?.includes('text/html') ?? false

/** What a browser shows for a share: no script, so that it works wherever the link is opened. */
export function sharePage(recording: SharedRecording, secret: string, headers: Headers): Response {
  const words = wordsOf(headers)
  const title = recording.title ?? recording.streams.map(({ name }) => name).join(', ')
  const start = `<time>${new Date(recording.from).toISOString().replace('T', ' ').slice(0, 19)} UTC</time>`
  const streams = recording.streams.map((stream) => streamHtml(stream, secret, words)).join('\n')
  const none = recording.streams.every((stream) => stream.files.length === 0)
  return html(200, words, title, `<p>${start}</p>\n${none ? `<p>${words.waiting}</p>` : streams}`)
}

/** For a person who opens a share that is no more. */
export function goneSharePage(headers: Headers): Response {
  const words = wordsOf(headers)
  return html(404, words, words.gone, `<p>${words.goneBody}</p>`)
}

function html(status: number, { lang }: Words, title: string, body: string): Response {
  const page = `<!doctype html>
<html lang="${lang}"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>${escapeHtml(title)}</title><style>${style}</style>
<h1>${escapeHtml(title)}</h1>
${body}
</html>
`
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy }
  return new Response(page, { status, headers })
}

function streamHtml(stream: SharedRecording['streams'][number], secret: string, words: Words): string {
  const name = escapeHtml(stream.name)
  const poster = escapeHtml(`/s/${secret}/thumbnail?stream=${stream.name}`)
  const files = stream.files.map((file) => {
    const url = escapeHtml(file.download)
    const size = (file.mp4Bytes / 1e6).toFixed(1)
    return `<video controls playsinline preload="none" aria-label="${name}" poster="${poster}" src="${url}"></video>
<p><a href="${url}" download>${words.download}</a> <span class="hint">MP4, ${size} MB, ${file.width} × ${file.height}</span></p>`
  })
  return `<h2>${name}</h2>\n${files.join('\n')}`
}
