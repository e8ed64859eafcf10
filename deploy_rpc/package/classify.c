/* The five likeliest classes of a picture, by ${model}.
 *
 *     ${cc_line}
 *     ./classify PICTURE.ppm labels.txt
 *
 * PICTURE is a binary PPM (P6, 8 bits; `convert picture.jpg picture.ppm`), or a file of exactly
 * ${PREFIX}_INPUT_VALUES floats, ready for the network.
 */
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "${header}"

enum {
  HEIGHT = ${PREFIX}_INPUT_HEIGHT,
  WIDTH = ${PREFIX}_INPUT_WIDTH,
  PLANE = HEIGHT * WIDTH,
  INPUTS = ${PREFIX}_INPUT_VALUES,
  CLASSES = ${PREFIX}_OUTPUT_VALUES,
  SHOWN = CLASSES < 5 ? CLASSES : 5,
  LONGEST_LABEL = 200,
};

static float input[INPUTS], output[CLASSES];

static void fail(const char *what, const char *detail) {
  fprintf(stderr, "classify: %s: %s\n", what, detail);
  exit(1);
}

/* ---- A picture, two rows of it at a time -------------------------------------------------- */

typedef struct {
  const char *name;
  FILE *file;
  long start; /* of the first pixel */
  int rows, columns;
  unsigned char *row[2];
  int loaded[2]; /* which row lies in each of them */
} Picture;

/* The next number of a PPM's header, behind white space and comments; 0 where there is none. */
static int header_number(FILE *file) {
  int read, number;
  while ((read = fgetc(file)) != EOF) {
    if (read == '#') {
      while (read != '\n' && read != EOF) read = fgetc(file);
    } else if (!isspace(read)) {
      ungetc(read, file);
      return fscanf(file, "%d", &number) == 1 ? number : 0;
    }
  }
  return 0;
}

static int open_picture(Picture *picture, const char *name) {
  char magic[3] = "";
  *picture = (Picture){.name = name, .file = fopen(name, "rb"), .loaded = {-1, -1}};
  if (picture->file == NULL) fail(name, "cannot be opened");
  if (fread(magic, 1, 2, picture->file) != 2 || strcmp(magic, "P6") != 0) return 0;
  picture->columns = header_number(picture->file);
  picture->rows = header_number(picture->file);
  if (picture->columns < 1 || picture->rows < 1 || picture->columns > 65535 ||
      picture->rows > 65535 || header_number(picture->file) != 255)
    fail(name, "expected a binary PPM of 8 bits: P6 WIDTH HEIGHT 255");
  fgetc(picture->file); /* the one white space before the pixels */
  picture->start = ftell(picture->file);
  for (int i = 0; i < 2; ++i)
    if ((picture->row[i] = malloc(3 * (size_t)picture->columns)) == NULL) fail(name, "no memory");
  return 1;
}

static const unsigned char *row_of(Picture *picture, int row) {
  int slot = row % 2;
  if (picture->loaded[slot] != row) {
    size_t bytes = 3 * (size_t)picture->columns;
    if (fseek(picture->file, picture->start + (long)(row * bytes), SEEK_SET) != 0 ||
        fread(picture->row[slot], 1, bytes, picture->file) != bytes)
      fail(picture->name, "ends before its last pixel");
    picture->loaded[slot] = row;
  }
  return picture->row[slot];
}

/* ---- Scaling: half-pixel centres, bilinear, edges repeated -------------------------------- */

typedef struct {
  int low, high;
  float share; /* of `high` */
} Place;

/* Where value `index` of a cropped axis of `crop` values comes from in a source of `extent`. */
static Place place_of(int index, int extent, double factor, int crop) {
  double scaled = fmax(rint(extent * factor), crop);
  double centre = (rint((scaled - crop) / 2) + index + 0.5) * (extent / scaled) - 0.5;
  double low = floor(centre);
  int last = extent - 1;
  return (Place){.low = low < 0 ? 0 : low > last ? last : (int)low,
                 .high = low + 1 < 0 ? 0 : low + 1 > last ? last : (int)low + 1,
                 .share = (float)(centre - low)};
}

static float blend(float first, float second, float share) {
  return first + (second - first) * share;
}

static void read_picture(Picture *picture) {
  static const float mean[3] = ${PREFIX}_MEAN, std[3] = ${PREFIX}_STD;
  const char *order = ${PREFIX}_CHANNELS;
  double factor = fmax((double)HEIGHT / picture->rows, (double)WIDTH / picture->columns) *
                  ${PREFIX}_RESIZE / ${PREFIX}_CROP;
  for (int y = 0; y < HEIGHT; ++y) {
    Place row = place_of(y, picture->rows, factor, HEIGHT);
    const unsigned char *low = row_of(picture, row.low), *high = row_of(picture, row.high);
    for (int x = 0; x < WIDTH; ++x) {
      Place column = place_of(x, picture->columns, factor, WIDTH);
      for (int c = 0; c < 3; ++c) {
        int from = order[c] == 'R' ? 0 : order[c] == 'G' ? 1 : 2;
        int left = 3 * column.low + from, right = 3 * column.high + from;
        float value = rintf(blend(blend(low[left], high[left], row.share),
                                  blend(low[right], high[right], row.share), column.share));
        input[c * PLANE + y * WIDTH + x] = (value * (${PREFIX}_MAX / 255) - mean[c]) / std[c];
      }
    }
  }
}

static void close_picture(Picture *picture) {
  free(picture->row[0]);
  free(picture->row[1]);
  fclose(picture->file);
}

static void read_tensor(FILE *file, const char *name) {
  rewind(file);
  if (fread(input, sizeof *input, INPUTS, file) != INPUTS || fgetc(file) != EOF)
    fail(name, "expected a binary PPM (P6), or a file of exactly the network's input in floats");
}

/* ---- The five likeliest ------------------------------------------------------------------- */

static void read_label(const char *labels, int index, char *label) {
  FILE *file = labels == NULL ? NULL : fopen(labels, "r");
  if (labels != NULL && file == NULL) fail(labels, "cannot be opened");
  label[0] = '\0';
  for (int line = 0; file != NULL && line <= index; ++line)
    if (fgets(label, LONGEST_LABEL, file) == NULL) fail(labels, "has fewer lines than classes");
  label[strcspn(label, "\r\n")] = '\0';
  if (file != NULL) fclose(file);
}

static void print_best(const char *labels) {
  char label[LONGEST_LABEL];
  float largest = output[0], sum = 0;
  for (int i = 1; i < CLASSES; ++i) largest = fmaxf(largest, output[i]);
  for (int i = 0; i < CLASSES; ++i) sum += output[i] = expf(output[i] - largest);
  for (int rank = 1; rank <= SHOWN; ++rank) {
    int best = 0;
    for (int i = 1; i < CLASSES; ++i)
      if (output[i] > output[best]) best = i;
    read_label(labels, best, label);
    printf("%d  class %4d  probability %.4f  %s\n", rank, best, output[best] / sum, label);
    output[best] = -1;
  }
}

int main(int count, char **arguments) {
  if (count < 2 || count > 3) {
    fprintf(stderr, "usage: %s PICTURE.ppm|TENSOR.raw [labels.txt]\n", arguments[0]);
    return 2;
  }
  Picture picture;
  if (open_picture(&picture, arguments[1])) read_picture(&picture);
  else read_tensor(picture.file, arguments[1]);
  close_picture(&picture);

  ${prefix} *network;
  int status = ${prefix}_create(&network, NULL);
  if (status != ${PREFIX}_OK) fail("create", ${prefix}_status_text(status));
  if (${prefix}_run(network, input, INPUTS, output, CLASSES) != ${PREFIX}_OK)
    fail("run", ${prefix}_last_error(network));
  ${prefix}_destroy(network);
  print_best(count == 3 ? arguments[2] : NULL);
  return 0;
}
