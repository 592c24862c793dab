interface Turn {
  readonly olderInFlight: number;
  readonly endedBefore: number;
}

/** Counts, for each call, the later ones that end before it: where first come is first served there are few. */
export class Overtakes {
  private readonly inFlight = new Set<Turn>();
  private endedCalls = 0;

  began(): Turn {
    const turn = { olderInFlight: this.inFlight.size, endedBefore: this.endedCalls };
    this.inFlight.add(turn);
    return turn;
  }

  /** @returns by how many later calls it was overtaken */
  ended(turn: Turn): number {
    let olderLeft = 0;
    for (const each of this.inFlight) {
      if (each === turn) break;
      olderLeft++;
    }
    this.inFlight.delete(turn);
    const endedMeanwhile = this.endedCalls++ - turn.endedBefore;
    return endedMeanwhile - (turn.olderInFlight - olderLeft);
  }
}
