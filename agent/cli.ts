#!/usr/bin/env node
import { CommanderError } from 'commander'
import { AppError } from '../shared/error.ts'
import { program } from './cli/program.ts'
import { errorSentence } from './cli/words.ts'

// Exit codes of the contract: 0 done, 1 failed, 2 wrong use, 3 already running on this data directory.
const exitOfKind: Partial<Record<AppError['kind'], number>> = { InvalidArgument: 2 }

try {
  await program.parseAsync()
} catch (cause) {
  if (cause instanceof CommanderError) process.exit(cause.exitCode === 0 ? 0 : 2)
  const error = AppError.from(cause)
  process.stderr.write(`edgereel: ${errorSentence(error)}\n`)
  if (error.kind === 'Internal' && error.cause instanceof Error && process.env.EDGEREEL_LOG === 'debug') {
    process.stderr.write(`${error.cause.stack}\n`)
  }
  process.exit(exitOfKind[error.kind] ?? 1)
}
