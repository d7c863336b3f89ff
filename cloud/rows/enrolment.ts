import { z } from 'zod'
import { AppError } from '../../shared/error.ts'
import type { Catalogue } from '../ports.ts'
import { changeRow } from './change-row.ts'

/** pk `ENR#<sha256 of the code>`, sk `META`: lets one machine in, once, as the agent it names. */
const codeRow = z.looseObject({
  agent: z.string(),
  expiresAt: z.number(),
  createdBy: z.string(),
  /** Hash of the token that it was exchanged for. */
  usedFor: z.string().optional(),
})

const keyOf = (sha256: string) => ({ pk: `ENR#${sha256}`, sk: 'META' })

export async function addCode(
  catalogue: Catalogue,
  code: { sha256: string; agent: string; createdBy: string; createdAt: number; expiresAt: number },
): Promise<void> {
  const { sha256, ...rest } = code
  await catalogue.put({ ...keyOf(sha256), ...rest, ttl: Math.ceil(code.expiresAt / 1000) + 86_400 }, 'absent')
}

/**
 * The agent that the code is for. Of two machines with one code the faster has it; whoever asks again with the same
 * token (its answer was lost) is answered again. `Unauthenticated` for a code that is unknown, too old or used;
 * `FailedPrecondition` when the machine has another name already.
 */
export async function useCode(
  catalogue: Catalogue,
  sha256: string,
  by: { tokenSha256: string; agent: string | undefined; nowMs: number },
): Promise<string> {
  const row = await changeRow(catalogue, keyOf(sha256), (before) => {
    const code = before && codeRow.parse(before)
    const isSame = code?.usedFor === by.tokenSha256
    if (!before || !code || code.expiresAt <= by.nowMs || (code.usedFor !== undefined && !isSame))
      throw badCode()
    if (by.agent !== undefined && by.agent !== code.agent) throw otherName(code.agent, by.agent)
    return isSame ? undefined : { ...before, usedFor: by.tokenSha256, usedAt: by.nowMs }
  })
  return codeRow.parse(row).agent
}

/** One answer for all three: a guess learns nothing. */
function badCode(): AppError {
  return new AppError(
    'Unauthenticated',
    'This code is not valid, was used, or is older than 15 minutes: make another with `edgereel token create NAME --enroll`.',
    { zh: '注册码无效、已使用或已过期（15 分钟）：请用 edgereel token create 名称 --enroll 重新生成。' },
  )
}

function otherName(code: string, own: string): AppError {
  return new AppError(
    'FailedPrecondition',
    `This code is for the agent ${code}, and this data directory is the agent ${own}: make a code for ${own}, or give --data an empty directory.`,
    {
      zh: `此注册码属于采集端 ${code}，而本数据目录是 ${own}：请为 ${own} 生成注册码，或用 --data 指定空目录。`,
    },
  )
}
