package io.lockstep.host.net;

/** What went through a port, seen from the switch. Written on the loop only. */
public final class PortCounters {
  long framesIn;
  long bytesIn;
  long framesOut;
  long bytesOut;
  long droppedQueueFull;
  long droppedMalformed;
  long droppedForeignMac;
  long droppedFloodLimit;

  public long framesIn() {
    return framesIn;
  }

  public long bytesIn() {
    return bytesIn;
  }

  public long framesOut() {
    return framesOut;
  }

  public long bytesOut() {
    return bytesOut;
  }

  /** Frames for this port that found its queue full. */
  public long droppedQueueFull() {
    return droppedQueueFull;
  }

  /** Frames from or for this port that made no sense. */
  public long droppedMalformed() {
    return droppedMalformed;
  }

  /** Frames from this port with a source address that another port owns. */
  public long droppedForeignMac() {
    return droppedForeignMac;
  }

  /** Broadcasts and frames to unknown addresses from this port beyond its limit. */
  public long droppedFloodLimit() {
    return droppedFloodLimit;
  }

  public void countIn(int bytes) {
    framesIn++;
    bytesIn += bytes;
  }

  public void countOut(int bytes) {
    framesOut++;
    bytesOut += bytes;
  }

  String toJson() {
    return "\"framesIn\":"
        + framesIn
        + ",\"bytesIn\":"
        + bytesIn
        + ",\"framesOut\":"
        + framesOut
        + ",\"bytesOut\":"
        + bytesOut
        + ",\"droppedQueueFull\":"
        + droppedQueueFull
        + ",\"droppedMalformed\":"
        + droppedMalformed
        + ",\"droppedForeignMac\":"
        + droppedForeignMac
        + ",\"droppedFloodLimit\":"
        + droppedFloodLimit;
  }
}
