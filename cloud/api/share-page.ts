import type { SharedRecording } from '../../shared/contract/api.ts'

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

/** What a browser shows for a share: no script, so that it works wherever the link is opened. */
export function sharePage(recording: SharedRecording, secret: string): Response {
  const title = escapeHtml(recording.title ?? recording.id)
  const start = `<time>${new Date(recording.from).toISOString().replace('T', ' ').slice(0, 19)} UTC</time>`
  const streams = recording.streams.map((stream) => streamHtml(stream, secret)).join('\n')
  const none = recording.streams.every((stream) => stream.files.length === 0)
  const waiting = none
    ? '<p>The files are still being made; reload in a moment. 文件正在生成，请稍后刷新。</p>'
    : ''
  const html = `<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="robots" content="noindex"><title>${title}</title>
<h1>${title}</h1><p>${start}</p>
${waiting}${streams}
</html>
`
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy':
        "default-src 'none'; media-src 'self' https:; img-src 'self' https:; frame-ancestors 'none'",
    },
  })
}

function streamHtml(stream: SharedRecording['streams'][number], secret: string): string {
  const name = escapeHtml(stream.name)
  const poster = escapeHtml(`/s/${secret}/thumbnail?stream=${stream.name}`)
  const files = stream.files.map((file) => {
    const url = escapeHtml(file.download)
    const size = (file.mp4Bytes / 1e6).toFixed(1)
    return `<p><video controls preload="none" width="640" poster="${poster}" src="${url}"></video><br>
<a href="${url}">MP4, ${size} MB, ${file.width} × ${file.height}</a></p>`
  })
  return `<h2>${name}</h2>\n${files.join('\n')}`
}
