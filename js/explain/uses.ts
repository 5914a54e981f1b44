/** What is made of a number: the rows, the columns and the cells of the next matrices. */
import type { Store } from "../state/store";
import type { MatrixName, Source } from "./explain";

export function usesOf(store: Store, name: MatrixName, row: number, col: number): Source[] {
  const isCross = store.matrix("key_embeddings") !== null;
  // A projection that was given is not made of the embeddings.
  const isMade = (to: "Q" | "K" | "V") =>
    store.matrix(`W_${to.toLowerCase()}` as "W_q") !== null && !store.get("given").includes(to);
  const rowsOf = (...names: ("Q" | "K" | "V")[]): Source[] =>
    names.filter(isMade).map((to) => ({ name: to, row }));
  switch (name) {
    case "embeddings":
      return isCross ? rowsOf("Q") : rowsOf("Q", "K", "V");
    case "key_embeddings":
      return rowsOf("K", "V");
    case "W_q":
    case "W_k":
    case "W_v": {
      const to = name[2].toUpperCase() as "Q";
      if (!isMade(to)) return [];
      // A rotation mixes two neighbouring columns.
      const isRotated = store.get("positional") === "rotary" && name !== "W_v";
      const cols = isRotated ? [col - (col % 2), col - (col % 2) + 1] : [col];
      return cols.map((c) => ({ name: to, col: c }));
    }
    case "Q":
      return [{ name: "scores", row }];
    case "K":
      return [{ name: "scores", col: row }];
    case "V":
      return [{ name: "output", col }];
    case "scores":
    case "mask":
      return [{ name: "attention", row }];
    case "attention":
      return [{ name: "output", row }];
    case "output":
      return [];
  }
}
