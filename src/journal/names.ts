import type { DatabaseSync, StatementSync } from 'node:sqlite'

/** Names that stand in many records, by their numbers. */
export class Names {
  readonly #ids: Map<string, number>
  readonly #insert: StatementSync

  constructor(db: DatabaseSync) {
    const known = db.prepare('SELECT id, name FROM names').all()
    this.#ids = new Map(known.map(({ id, name }) => [String(name), Number(id)]))
    this.#insert = db.prepare('INSERT INTO names (name) VALUES (?)')
  }

  idOf(name: string): number {
    const known = this.#ids.get(name)
    if (known !== undefined) return known
    const id = Number(this.#insert.run(name).lastInsertRowid)
    this.#ids.set(name, id)
    return id
  }
}
