/** `run` over all items, at most `width` at once; the first error ends it, when those begun have ended. */
export async function inParallel<T>(
  items: Iterable<T>,
  width: number,
  run: (item: T) => Promise<void>,
): Promise<void> {
  const rest = items[Symbol.iterator]()
  let failed = false
  const lane = async () => {
    for (let next = rest.next(); !next.done && !failed; next = rest.next()) {
      await run(next.value).catch((error: unknown) => {
        failed = true
        throw error
      })
    }
  }
  const lanes = await Promise.allSettled(Array.from({ length: width }, lane))
  const error = lanes.find((one) => one.status === 'rejected')
  if (error) throw error.reason
}
