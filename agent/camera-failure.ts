import { AppError } from '../shared/error.ts'
import type { Sources } from './ingest/sources.ts'

/** Why a camera is away, as its status says, to somebody who asked for its pictures; undefined while it is not. */
export function cameraFailure(sources: Pick<Sources, 'info'>, name: string): AppError | undefined {
  const { state, error } = sources.info(name)?.status ?? {}
  return state === 'offline' && error ? ofCamera(error) : undefined
}

/** The same for who has just asked: only what failed since then, since it is tried again for him. */
export function cameraFailureFromNow(
  sources: Pick<Sources, 'info'>,
  name: string,
): () => AppError | undefined {
  const before = sources.info(name)?.status.failures ?? 0
  return () => {
    const status = sources.info(name)?.status
    const isNew = status !== undefined && status.failures > before
    // A password that was refused is not tried again for anybody.
    return isNew || status?.error?.kind === 'Unauthenticated' ? cameraFailure(sources, name) : undefined
  }
}

/** It is not the caller who is not known, it is this agent to the camera: a client must not take it for its own. */
export function ofCamera(error: AppError): AppError {
  if (error.kind !== 'Unauthenticated') return error
  const zh = error.messageZh === undefined ? {} : { zh: error.messageZh }
  return new AppError('FailedPrecondition', error.message, { cause: error, ...zh })
}
