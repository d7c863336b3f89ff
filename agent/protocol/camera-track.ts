export const cameraTracks = ['main', 'sub', 'third'] as const
export type CameraTrack = (typeof cameraTracks)[number]
