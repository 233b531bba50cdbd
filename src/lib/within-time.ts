import { type Context, createContext, Script } from 'node:vm'

// Both are made when they are first needed: most emulators never do.
let call: Script | undefined
let room: (Context & { run: () => unknown }) | undefined

/**
 * What `run` returns, unless it is at it for longer than this: then it is cut short, wherever it is. For what others
 * wrote and nobody can judge beforehand, as regular expressions are.
 */
export function withinTime<T extends {}>(run: () => T | undefined, ms: number): T | undefined | 'too-long' {
  let result: T | undefined
  call ??= new Script('run()')
  room ??= createContext({ run }) as Context & { run: () => unknown } // what it was made of
  room.run = () => {
    result = run()
  }
  try {
    call.runInContext(room, { timeout: ms })
    return result
  } catch (error) {
    // Not `instanceof`: it comes from a room whose Error is another.
    const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
    if (code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return 'too-long'
    throw error
  }
}
