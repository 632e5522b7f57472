package io.lockstep.bench;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;

/** Small plots as SVG text, without any library. */
final class Plots {
  private static final int WIDTH = 720;
  private static final int LABELS = 250;
  private static final int ROW = 24;
  private static final int TOP = 44;
  private static final int PLOT_HEIGHT = 180;
  private static final int BINS = 24;
  private static final String GOOD = "#2a7f62";
  private static final String POOR = "#b5523b";

  /**
   * A ratio.
   *
   * @param label in front of the bar
   * @param ratio at least 0
   * @param higherIsBetter on which side of 1 it should be
   */
  record Bar(String label, double ratio, boolean higherIsBetter) {
    boolean isGood() {
      return higherIsBetter ? ratio >= 0.95 : ratio <= 1.05;
    }
  }

  private Plots() {}

  /** Horizontal bars, with a line at 1: the peer. */
  static String bars(String title, List<Bar> bars) {
    double max = Math.max(1.25, bars.stream().mapToDouble(Bar::ratio).max().orElse(1) * 1.1);
    int height = TOP + bars.size() * ROW + 24;
    double scale = (WIDTH - LABELS - 60) / max;
    StringBuilder svg = open(title, height);
    for (int i = 0; i < bars.size(); i++) {
      Bar bar = bars.get(i);
      double y = TOP + i * ROW;
      text(svg, LABELS - 8, y + 15, "end", bar.label());
      svg.append(
          String.format(
              Locale.ROOT,
              "<rect x=\"%d\" y=\"%.1f\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>%n",
              LABELS,
              y + 3,
              bar.ratio() * scale,
              ROW - 8,
              bar.isGood() ? GOOD : POOR));
      text(svg, LABELS + bar.ratio() * scale + 6, y + 15, "start", Report.number(bar.ratio()));
    }
    double one = LABELS + scale;
    svg.append(
        String.format(
            Locale.ROOT,
            "<line x1=\"%.1f\" y1=\"%d\" x2=\"%.1f\" y2=\"%d\" stroke=\"#444\""
                + " stroke-dasharray=\"4 3\"/>%n",
            one,
            TOP - 4,
            one,
            height - 20));
    text(svg, one, height - 6, "middle", "1 = the peer");
    return svg.append("</svg>\n").toString();
  }

  /** How often which value occurred. */
  static String histogram(String title, double[] values) {
    double[] sorted = values.clone();
    Arrays.sort(sorted);
    double high = Math.max(Report.percentile(sorted, 100), 1e-9);
    int[] counts = new int[BINS];
    for (double value : sorted) {
      counts[Math.clamp((int) (value / high * BINS), 0, BINS - 1)]++;
    }
    int most = Math.max(1, Arrays.stream(counts).max().orElse(1));
    int height = TOP + PLOT_HEIGHT + 32;
    double bin = (WIDTH - 80.0) / BINS;
    StringBuilder svg = open(title, height);
    for (int i = 0; i < BINS; i++) {
      double bar = (double) counts[i] / most * PLOT_HEIGHT;
      svg.append(
          String.format(
              Locale.ROOT,
              "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>%n",
              40 + i * bin,
              TOP + PLOT_HEIGHT - bar,
              bin - 2,
              bar,
              GOOD));
    }
    int bottom = TOP + PLOT_HEIGHT;
    svg.append(
        String.format(
            Locale.ROOT,
            "<line x1=\"40\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#444\"/>%n",
            bottom,
            WIDTH - 40,
            bottom));
    for (int i = 0; i <= 4; i++) {
      text(svg, 40 + (WIDTH - 80) * i / 4.0, bottom + 18, "middle", Report.number(high * i / 4));
    }
    text(svg, 34, TOP + 8, "end", Integer.toString(most));
    return svg.append("</svg>\n").toString();
  }

  private static StringBuilder open(String title, int height) {
    StringBuilder svg = new StringBuilder();
    svg.append(
        String.format(
            Locale.ROOT,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\""
                + " height=\"%d\" font-family=\"sans-serif\" font-size=\"12\">%n",
            WIDTH,
            height,
            WIDTH,
            height));
    svg.append(
        String.format(
            Locale.ROOT, "<rect width=\"%d\" height=\"%d\" fill=\"#ffffff\"/>%n", WIDTH, height));
    svg.append(
        String.format(
            Locale.ROOT,
            "<text x=\"12\" y=\"22\" font-size=\"15\" fill=\"#222\">%s</text>%n",
            escape(title)));
    return svg;
  }

  private static void text(StringBuilder svg, double x, double y, String anchor, String text) {
    svg.append(
        String.format(
            Locale.ROOT,
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"#222\">%s</text>%n",
            x,
            y,
            anchor,
            escape(text)));
  }

  private static String escape(String text) {
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;");
  }
}
