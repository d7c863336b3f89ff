import { links } from '../api.ts'

/** Saves the picture that a video shows now as `NAME.jpg`; without a video the agent's still; nothing when there is none yet. */
export async function saveStill(video: HTMLVideoElement | null | undefined, name: string): Promise<void> {
  if (!video) return save(links.still(name, 0), name)
  if (video.videoWidth === 0) return
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight)
  canvas.getContext('2d')?.drawImage(video, 0, 0)
  const url = URL.createObjectURL(await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 }))
  save(url, name)
  setTimeout(() => URL.revokeObjectURL(url), 1000) // The browser has begun to read it by then.
}

function save(url: string, name: string): void {
  const link = document.createElement('a')
  link.href = url
  link.download = `${name}.jpg`
  link.click()
}
