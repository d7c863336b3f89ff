/** Apart from `beatsync-api.ts`, so that the page need not carry zod. */

export const videoExtensions = ['mp4', 'mov', 'avi', 'mkv'] as const
export const soundExtensions = ['mp3', 'm4a', 'wav', 'aac', 'ogg', 'flac'] as const

/** Small letters, without the dot. */
export function extensionOf(fileName: string): string {
  return /\.([A-Za-z0-9]{1,8})$/.exec(fileName)?.[1]?.toLowerCase() ?? ''
}
