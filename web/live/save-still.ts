/** Saves the picture that a video shows now as `NAME.jpg`; nothing when there is none yet. */
export async function saveStill(video: HTMLVideoElement | null | undefined, name: string): Promise<void> {
  if (!video || video.videoWidth === 0) return
  const canvas = new OffscreenCanvas(video.videoWidth, video.videoHeight)
  canvas.getContext('2d')?.drawImage(video, 0, 0)
  const url = URL.createObjectURL(await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.92 }))
  const link = document.createElement('a')
  link.href = url
  link.download = `${name}.jpg`
  link.click()
  setTimeout(() => URL.revokeObjectURL(url), 1000) // The browser has begun to read it by then.
}
