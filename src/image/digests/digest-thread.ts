import { type MessagePort, parentPort } from 'node:worker_threads'
import type { Block } from './blocks.ts'
import type { Part } from './digests.ts'
import { PartHashes } from './part-hashes.ts'

/** The next bytes of an image. */
export interface ToHash {
  readonly block: Block
  /** The parts that were asked for since the last block; none of their bytes came before this one. */
  readonly parts: readonly Part[]
  readonly isLast: boolean
}

/** A block that goes back; the last one with the digests, in the order in which their parts were asked for. */
export interface Hashed {
  readonly block: Block
  readonly digests: readonly string[]
}

/** What runs in the thread. Every image has a port of its own, by which its bytes come; closed early, it is forgotten. */
parentPort?.on('message', (port: MessagePort) => {
  const hashes = new PartHashes()
  port.on('message', ({ block, parts, isLast }: ToHash) => {
    for (const part of parts) hashes.add(part)
    hashes.update(block)
    const hashed: Hashed = { block, digests: isLast ? hashes.finish() : [] }
    port.postMessage(hashed, [block.buffer])
  })
})
